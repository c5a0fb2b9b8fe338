# Sourced by backup.sh and restore.sh: where the stores are, and how one talks to them without showing a password.
set -euo pipefail
umask 077
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python3}  # of the environment that Lyhord is installed in

fail() { echo "$(basename "$0"): $*" >&2; exit 2; }
tell() { echo "$(basename "$0"): $*"; }

# Sets $ledger, $archive (addresses without password) and $data from the configuration file.
read_config() {
  local told
  told=$("$PYTHON" - <<'PY'
from listener import settings
config = settings.load(settings.config_path(None))
print(settings.split_password(settings.ledger_url(config))[0])
print(settings.archive_url(config))
print(config.storage.data)
PY
  ) || fail "the configuration cannot be read; want LYHORD_CONFIG=FILE, and PYTHON=/path/of/lyhord's/bin/python"
  { read -r ledger; read -r archive; read -r data; } <<<"$told"
}

# secret NAME: the value of LYHORD_NAME or of the file LYHORD_NAME_FILE; "" when neither is given
secret() {
  local value=LYHORD_$1 file=LYHORD_$1_FILE
  if [ -n "${!file:-}" ]; then tr -d '\n' <"${!file}"; else printf '%s' "${!value:-}"; fi
}

# postgres TOOL ARGUMENT…: with the ledger's address, its password in the environment rather than on the command line
postgres() {
  local tool=$1; shift
  PGPASSWORD=$(secret LEDGER_PASSWORD) "$tool" --dbname="$ledger" "$@"
}

# elastic METHOD PATH [BODY]: prints the answer; curl reads the key from a pipe
elastic() {
  local base=${archive#*://} key
  base=${archive%%://*}://${base%%/*}
  key=$(secret ARCHIVE_API_KEY)
  printf '%s' "${key:+header = \"Authorization: ApiKey $key\"}" |
    curl --fail-with-body --silent --show-error --config - --request "$1" --header "Content-Type: application/json" \
      ${3:+--data "$3"} "$base$2"
}

# prefix: of the archive's indices
prefix() { local path=${archive#*://}; case $path in */?*) echo "${path#*/}" ;; *) echo lyhord ;; esac; }

# copy_sqlite FROM TO: a whole copy while others go on writing
copy_sqlite() {
  [ -f "$1" ] || fail "$1: no such file; nothing has run here yet"
  "$PYTHON" - "$1" "$2" <<'PY'
import pathlib, sqlite3, sys
source = sqlite3.connect(f"{pathlib.Path(sys.argv[1]).absolute().as_uri()}?mode=ro", uri=True, timeout=60)
source.execute("VACUUM INTO ?", (sys.argv[2],))
copied = sqlite3.connect(sys.argv[2])
found = copied.execute("PRAGMA quick_check(1)").fetchone()[0]
sys.exit(0 if found == "ok" else f"{sys.argv[1]}: the copy is damaged: {found}")
PY
}
