#!/bin/sh
# What the tests need beside Python packages: Chromium (Debian's package), and promtool out of Debian's prometheus, whose service
# stays uninstalled. Servers install themselves (infra/servers).
set -eu
missing=""
for tool in chromium promtool; do command -v $tool >/dev/null || missing="$missing $tool"; done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "tests:$missing missing, and only root can install it: apt-get install chromium prometheus" >&2; exit 1; }
apt-get update -qq
case $missing in *chromium*) DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null ;; esac
case $missing in *promtool*)
  folder=$(mktemp -d)
  chmod 755 "$folder"
  (cd "$folder" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb .)
  install "$folder/usr/bin/promtool" /usr/local/bin/promtool
  rm -rf "$folder"
  ;;
esac
