#!/bin/bash
# restore.sh [--key FOLDER] BACKUP [TOMBSTONES…]: what backup.sh wrote into the empty stores that the configuration names.
#
#   TOMBSTONES   files of `tombstones.py save`, younger than the backup: what was erased since then is erased again
#
# Nothing may run meanwhile, and nothing is overwritten: the ledger's database must be empty, files must not be there.
. "$(dirname "$0")/common.sh"
keys="" incomplete=""
if [ "${1:-}" = --key ]; then keys=${2:-}; shift 2 || fail "--key wants a folder"; fi
[ $# -ge 1 ] && [ -f "$1/SHA256SUMS" ] || fail "want [--key FOLDER] BACKUP [TOMBSTONES…], a folder that backup.sh wrote"
backup=$(realpath "$1"); shift
read_config
(cd "$backup" && sha256sum --check --quiet --strict SHA256SUMS) || fail "$backup: is damaged"

# Everything is looked at before anything is written.
case $ledger in
  sqlite:///*)
    [ -f "$backup/ledger.db" ] || fail "$backup: holds no ledger.db; its ledger was on PostgreSQL"
    [ ! -e "${ledger#sqlite:///}" ] || fail "${ledger#sqlite:///}: is there already; want a place without a ledger" ;;
  *)
    [ -f "$backup/ledger.dump" ] || fail "$backup: holds no ledger.dump; its ledger was in a file"
    tables=$(postgres psql --no-psqlrc --tuples-only --no-align \
      --command="SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
    [ "$tables" = 0 ] || fail "$ledger: has $tables tables already; want an empty database" ;;
esac
case $archive in
  sqlite:///*)
    [ -f "$backup/archive.db" ] || fail "$backup: holds no archive.db; its archive is a snapshot in Elasticsearch"
    [ ! -e "${archive#sqlite:///}" ] || fail "${archive#sqlite:///}: is there already; want a place without an archive" ;;
esac
if [ -n "$keys" ]; then
  [ -f "$keys/pseudonym.key" ] || fail "$keys: holds no pseudonym.key"
  [ ! -e "$data/pseudonym.key" ] || cmp -s "$keys/pseudonym.key" "$data/pseudonym.key" ||
    fail "$data/pseudonym.key: is another key than the backup's; want none there"
  mkdir -p "$data"
  install -m 0600 "$keys/pseudonym.key" "$data/pseudonym.key"
fi

case $ledger in
  sqlite:///*) mkdir -p "$(dirname "${ledger#sqlite:///}")"; install -m 0600 "$backup/ledger.db" "${ledger#sqlite:///}" ;;
  *) postgres pg_restore --no-owner --no-privileges --exit-on-error --single-transaction "$backup/ledger.dump" ;;
esac
tell "the ledger is restored"

case $archive in
  sqlite:///*) mkdir -p "$(dirname "${archive#sqlite:///}")"; install -m 0600 "$backup/archive.db" "${archive#sqlite:///}" ;;
  *)
    if [ -f "$backup/archive.snapshot" ]; then
      { read -r repository; read -r name; } <"$backup/archive.snapshot"
      elastic POST "/_snapshot/$repository/$name/_restore?wait_for_completion=true" \
        "{\"indices\": \"$(prefix)-*\", \"include_global_state\": false, \"include_aliases\": true}" >/dev/null
    else
      "$PYTHON" -m console archive copy "sqlite:///$backup/archive.db" "$archive" || incomplete=yes
    fi ;;
esac
tell "the archive is restored"

# Last of all, and before anything reads or shows the archive.
"$PYTHON" "$HERE/tombstones.py" replay "$backup/tombstones.jsonl" "$@"
[ -z "$incomplete" ] || fail "not every mention came back: lyhord archive copy sqlite:///$backup/archive.db $archive"
tell "done: lyhord check, then start the services"
