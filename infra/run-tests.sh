#!/bin/bash
# run-tests.sh PYTHON [PYTEST ARGUMENT…]: the tests, on real servers that are ended afterwards if they were started here. Without
# arguments every test, in two lanes at once: those that mostly wait (whole flows, faults), and the others.
set -uo pipefail
cd "$(dirname "$0")/.."
python=$1
shift
started=()
for name in redis rabbitmq postgres elasticsearch; do
  infra/servers/alive.sh $name || started+=($name)
done
[ ${#started[@]} -eq 0 ] || trap 'infra/services.sh stop "${started[@]}"' EXIT
infra/services.sh start || exit 1

pytest() { "$python" -m coverage run -m pytest "$@"; }
if [ $# -gt 0 ]; then
  pytest "$@"
  exit
fi
waiting=$(mktemp)
pytest tests/e2e tests/faults >"$waiting" 2>&1 &
lane=$!
pytest --ignore tests/e2e --ignore tests/faults
others=$?
echo "Whole flows and faults:"
wait $lane
flows=$?
cat "$waiting"
rm -f "$waiting"
[ $others -eq 0 ] && [ $flows -eq 0 ]
