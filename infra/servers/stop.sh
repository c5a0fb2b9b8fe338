#!/bin/bash
# stop.sh NAME…: ends what start-NAME.sh started, by the process ids that it recorded.
. "$(dirname "$0")/common.sh"
for name in "$@"; do
  [ "$name" != postgres ] || name=pg
  for file in "$SRV/run/$name"*/pid "$SRV/run/$name"*/data/postmaster.pid "$SRV/run/$name"*/*.pid; do
    alive "$file" || continue
    pid=$(head -1 "$file")
    { kill -- "-$pid" || kill "$pid"; } 2>/dev/null
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    echo "stopped $name, pid $pid"
  done
done
