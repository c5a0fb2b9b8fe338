# Sourced by the other scripts: where state lies, and waiting for an address.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SRV=${SRV:-$(dirname "$(mktemp -u)")/lyhord-servers}
mkdir -p "$SRV/run"
chmod 755 "$SRV" "$SRV/run"

alive() { [ -f "$1" ] && kill -0 "$(head -1 "$1")" 2>/dev/null; }

# debian PACKAGE…: installs them; the lists of packages are fetched first when they are missing or old
debian() {
  local install=(apt-get install -y -qq --no-install-recommends "$@")
  export DEBIAN_FRONTEND=noninteractive
  "${install[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${install[@]}" >/dev/null; }
}

# await SECONDS COMMAND…: until the command succeeds
await() {
  local tries=$(($1 * 10)); shift
  for _ in $(seq "$tries"); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
  echo "gave up waiting for: $*" >&2
  return 1
}
