#!/bin/bash
# backup.sh [--repository NAME] [--key FOLDER] FOLDER: ledger and archive into FOLDER/lyhord-<time in UTC>, while Lyhord runs.
#
#   --repository NAME   of Elasticsearch: a snapshot there; FOLDER then holds its name only. Without it an archive on
#                       Elasticsearch is copied into a SQLite file, which takes a while and needs no repository
#   --key FOLDER        copies the pseudonyms' key there: another place than the data, or the pseudonyms protect nobody
#
# The ledger comes first: what it says was read is then in the archive's copy, which is younger. What is read twice after a
# restore is stored once. Needs LYHORD_CONFIG and the secrets as Lyhord does; pg_dump for a ledger on PostgreSQL.
. "$(dirname "$0")/common.sh"
repository="" keys=""
while [ $# -gt 1 ]; do
  case $1 in
    --repository) repository=$2 ;;
    --key) keys=$2 ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done
[ $# = 1 ] && [ "${1#-}" = "$1" ] || fail "want [--repository NAME] [--key FOLDER] FOLDER"
read_config
name=lyhord-$(date -u +%Y%m%dt%H%M%Sz)
mkdir -p "$1"
target=$1/$name
part=$target.partial
mkdir "$part"

case $ledger in
  sqlite:///*) copy_sqlite "${ledger#sqlite:///}" "$part/ledger.db" ;;
  postgresql*) postgres pg_dump --format=custom --no-owner --no-privileges --file="$part/ledger.dump" ;;
esac
tell "the ledger is saved"

case $archive in
  sqlite:///*) copy_sqlite "${archive#sqlite:///}" "$part/archive.db" ;;
  *)
    if [ -n "$repository" ]; then
      answer=$(elastic PUT "/_snapshot/$repository/$name?wait_for_completion=true" \
        "{\"indices\": \"$(prefix)-*\", \"include_global_state\": false, \"partial\": false}")
      case $answer in *'"state":"SUCCESS"'*) ;; *) fail "Elasticsearch did not finish the snapshot: ${answer:0:500}" ;; esac
      printf '%s\n%s\n' "$repository" "$name" >"$part/archive.snapshot"
    else
      # It ends with 1 also when only what came meanwhile is missing: the saved ledger does not know of that yet, either.
      told=$("$PYTHON" -m console archive copy --json "$archive" "sqlite:///$part/archive.db") ||
        case $told in *'"missing"'*) ;; *) fail "the archive could not be copied" ;; esac
    fi ;;
esac
tell "the archive is saved"

"$PYTHON" "$HERE/tombstones.py" save "$part/tombstones.jsonl"
(cd "$part" && sha256sum -- * >SHA256SUMS)
sync "$part"/*
mv "$part" "$target"
tell "wrote $target"

if [ ! -e "$data/pseudonym.key" ]; then
  tell "the pseudonyms' key is a secret of yours (LYHORD_PSEUDONYM_KEY): it is not in this backup"
elif [ -n "$keys" ]; then
  mkdir -p "$keys"
  install -m 0600 "$data/pseudonym.key" "$keys/pseudonym.key"
  tell "wrote $keys/pseudonym.key"
else
  tell "NOT saved: $data/pseudonym.key. Without it nobody's older mentions can be found for erasure. Use --key FOLDER"
fi
