#!/bin/bash
# PostgreSQL on 127.0.0.1:$PG_PORT, superuser postgres with password postgres.
. "$(dirname "$0")/common.sh"
port=${PG_PORT:-5490}
home=$SRV/run/pg-$port
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || debian postgresql
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
mkdir -p "$home"
chown postgres "$home"
if [ ! -f "$home/data/PG_VERSION" ]; then
  echo postgres >"$home/pw"
  chmod 644 "$home/pw"
  runuser -u postgres -- "$bin/initdb" -D "$home/data" -U postgres --pwfile="$home/pw" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >"$home/initdb.log"
fi
options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$home -c fsync=off -c max_connections=200"
runuser -u postgres -- "$bin/pg_ctl" -D "$home/data" status >/dev/null 2>&1 ||
  runuser -u postgres -- "$bin/pg_ctl" -D "$home/data" -w -l "$home/log" -o "$options" start >/dev/null
echo "READY postgresql://postgres:postgres@127.0.0.1:$port/postgres pid=$(head -1 "$home/data/postmaster.pid")"
