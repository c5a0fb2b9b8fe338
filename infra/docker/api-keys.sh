#!/bin/bash
# api-keys.sh [FOLDER]: asks the running Elasticsearch for what Lyhord and Kibana need to log in there, and writes it into the
# secrets' files. Run once as root, after `docker compose up --detach --wait elasticsearch`; run again it makes new ones (the
# old ones hold until somebody invalidates them).
set -euo pipefail
cd "$(dirname "$0")"
folder=$(realpath "${1:-secrets}")

# ask METHOD PATH [BODY]: inside the container, so that the superuser's password leaves it nowhere
ask() {
  docker compose exec --no-TTY elasticsearch bash -c '
    printf "user = \"elastic:%s\"\n" "$(cat /run/secrets/elastic_password)" |
      curl --fail-with-body --silent --show-error --config - --request "$0" --header "Content-Type: application/json" \
        --data "${2:-}" "http://localhost:9200$1"' "$1" "$2" "${3:-}"
}

# pick NAME: the text value of a key in the JSON on standard input
pick() { sed -n "s/.*\"$1\" *: *\"\\([^\"]*\\)\".*/\\1/p"; }

# put NAME VALUE: in place, since containers hold on to the file itself
put() {
  [ -n "$2" ] || { echo "api-keys: Elasticsearch gave no $1" >&2; exit 1; }
  printf '%s' "$2" >"$folder/$1"
  echo "Wrote $folder/$1"
}

# Their recipes: infra/elasticsearch. What runs may store and erase mentions; only `lyhord setup` may change templates.
for given in archive_api_key:eraser archive_setup_key:setup; do
  made=$(ask POST /_security/api_key "$(cat "../elasticsearch/api-key-${given#*:}.json")")
  put "${given%:*}" "$(pick encoded <<<"$made")"
done

kibana=$(ask POST "/_security/service/elastic/kibana/credential/token/lyhord-$(date -u +%Y%m%d%H%M%S)")
put kibana_token "$(pick value <<<"$kibana")"

# For `lyhord setup kibana`, which imports data view and dashboards.
importer=$(ask POST /_security/api_key '{"name": "lyhord-kibana", "role_descriptors": {"import": {
  "applications": [{"application": "kibana-.kibana", "privileges": ["feature_savedObjectsManagement.all"], "resources": ["space:default"]}]}}}')
put kibana_api_key "$(pick encoded <<<"$importer")"
