#!/bin/sh
# What the tests need beside Python packages: Chromium (Debian's package). Servers install themselves (infra/servers).
set -eu
command -v chromium >/dev/null && exit 0
[ "$(id -u)" = 0 ] || { echo "tests: Chromium is missing and only root can install it: apt-get install chromium" >&2; exit 1; }
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
