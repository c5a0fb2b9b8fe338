#!/bin/bash
# secrets.sh [FOLDER]: makes the files that compose.yml hands to its services, each with a random value where we choose it.
# What is there already stays as it is, so it may be run again. Run as root: the files belong to those who may read them.
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }  # hex only: safe in every server's configuration

# make NAME OWNER MODE [VALUE]
make() {
  [ -e "$folder/$1" ] || printf '%s' "${4:-}" >"$folder/$1"
  chown "$2" "$folder/$1"
  chmod "$3" "$folder/$1"
}

# Read by Lyhord (uid and gid 10001), and by the server whose password it is through that group.
make ledger_password 0:10001 0440 "$(random)"
make broker_password 0:10001 0440 "$(random)"
make pseudonym_key 0:10001 0440 "$(random)"
# Filled by api-keys.sh when Elasticsearch runs.
make archive_api_key 0:10001 0440
make archive_setup_key 0:10001 0440
make kibana_api_key 0:10001 0440
make kibana_token 0:10001 0440
# Yours; empty means: none. Without a token alerts stand on the page and in the log.
make slack_token 0:10001 0440
make reddit_client_id 0:10001 0440
make reddit_client_secret 0:10001 0440
# The servers' own superusers; Lyhord never sees them. Elasticsearch (uid 1000) refuses a file that others may read.
make postgres_password 0:10001 0440 "$(random)"
make elastic_password 1000:0 0400 "$(random)"

chmod 0700 "$folder"
echo "Made $folder. Put a copy of pseudonym_key where your backups are not: without it old and new authors cannot be told to be the same."
