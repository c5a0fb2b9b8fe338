#!/bin/bash
# services.sh start|stop|status [NAME…]: the real Redis, RabbitMQ, PostgreSQL and Elasticsearch on this machine, without containers.
set -euo pipefail
servers=$(dirname "$0")/servers
what=${1:-start}
shift || true
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(redis rabbitmq postgres elasticsearch)

case $what in
  start)
    for name in "${names[@]}"; do "$servers/start-$name.sh"; done
    ;;
  stop) "$servers/stop.sh" "${names[@]}" ;;
  status)
    for name in "${names[@]}"; do "$servers/alive.sh" "$name" && echo "$name: running" || echo "$name: not running"; done
    ;;
  *)
    echo "services.sh: got '$what'; want start, stop or status, then names (default: ${names[*]})" >&2
    exit 2
    ;;
esac
