#!/bin/bash
# Redis (Debian package) on 127.0.0.1:$REDIS_PORT, without persistence: a broker that may forget everything.
. "$(dirname "$0")/common.sh"
port=${REDIS_PORT:-16390}
home=$SRV/run/redis-$port
mkdir -p "$home"
command -v redis-server >/dev/null || debian redis-server redis-tools
if ! alive "$home/pid"; then
  redis-server --bind 127.0.0.1 --port "$port" --dir "$home" --pidfile "$home/pid" --logfile "$home/log" \
    --daemonize yes --save "" --appendonly no >/dev/null
fi
await 10 redis-cli -p "$port" ping || { tail -5 "$home/log"; exit 1; }
echo "READY redis://127.0.0.1:$port/0 pid=$(cat "$home/pid")"
