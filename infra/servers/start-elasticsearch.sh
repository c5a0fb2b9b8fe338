#!/bin/bash
# Elasticsearch on 127.0.0.1:$ES_PORT: the small build that its makers publish for integration tests (from Maven). It has no
# language analysers, no reindex and no delete-by-query, no index lifecycle, no scripts. Needs Java 21 or newer.
. "$(dirname "$0")/common.sh"
port=${ES_PORT:-19200}
version=${ES_VERSION:-9.3.2}
home=$SRV/run/elasticsearch-$port
dist=$SRV/elasticsearch-$version
mkdir -p "$home/config" "$home/data" "$home/logs"
healthy() { curl -fsS "http://127.0.0.1:$port/_cluster/health?timeout=1s"; }
healthy >/dev/null 2>&1 && { echo "READY http://127.0.0.1:$port pid=$(cat "$home/pid" 2>/dev/null)"; exit 0; }

java_home() {
  for candidate in "${ES_JAVA_HOME:-}" /usr/lib/jvm/*; do
    [ -x "$candidate/bin/java" ] || continue
    found=$("$candidate/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.specification.version = //p')
    [ "${found%%.*}" -ge 21 ] 2>/dev/null && { echo "$candidate"; return 0; }
  done
  echo "elasticsearch: no Java 21 or newer under /usr/lib/jvm; set ES_JAVA_HOME" >&2
  return 1
}
java=$(java_home)
if [ ! -x "$dist/bin/elasticsearch" ]; then
  command -v unzip >/dev/null || debian unzip
  command -v mvn >/dev/null || debian maven
  mvn -q dependency:copy "-Dartifact=org.elasticsearch.distribution.integ-test-zip:elasticsearch:$version:zip" \
    -DoutputDirectory="$SRV" >"$home/mvn.log" 2>&1 || { tail -3 "$home/mvn.log"; exit 1; }
  (cd "$SRV" && unzip -q "elasticsearch-$version.zip" && rm "elasticsearch-$version.zip")
fi
as=()  # it refuses to run as root
if [ "$(id -u)" = 0 ]; then
  id lyhord-es >/dev/null 2>&1 || useradd --system --no-create-home lyhord-es
  as=(setpriv --reuid lyhord-es --regid lyhord-es --clear-groups)
  chmod a+x "$(dirname "$SRV")" "$SRV"
fi
cp -n "$dist"/config/* "$home/config/" 2>/dev/null || true
cat >"$home/config/elasticsearch.yml" <<X
cluster.name: lyhord-test
discovery.type: single-node
network.host: 127.0.0.1
http.port: $port
transport.port: $((port + 100))
path.data: $home/data
path.logs: $home/logs
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
X
[ "$(id -u)" != 0 ] || chown -R lyhord-es "$dist" "$home"
heap=${ES_HEAP:-1g}
export ES_PATH_CONF=$home/config ES_JAVA_HOME=$java ES_JAVA_OPTS="-Xms$heap -Xmx$heap"
cd "$dist"
setsid "${as[@]}" bin/elasticsearch -p "$home/pid" >"$home/log" 2>&1 </dev/null &
await 90 healthy || { tail -5 "$home/log"; exit 1; }
echo "READY http://127.0.0.1:$port pid=$(cat "$home/pid")"
