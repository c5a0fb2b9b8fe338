#!/bin/bash
# alive.sh NAME: does what start-NAME.sh started still run?
. "$(dirname "$0")/common.sh"
name=$1
[ "$name" != postgres ] || name=pg
for file in "$SRV/run/$name"*/pid "$SRV/run/$name"*/data/postmaster.pid; do
  alive "$file" && exit 0
done
exit 1
