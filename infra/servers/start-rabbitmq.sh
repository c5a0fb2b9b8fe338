#!/bin/bash
# RabbitMQ (Debian package) on 127.0.0.1:$RABBITMQ_PORT, with an epmd of its own, on loopback only.
. "$(dirname "$0")/common.sh"
port=${RABBITMQ_PORT:-18672}
home=$SRV/run/rabbitmq
mkdir -p "$home"
server=/usr/lib/rabbitmq/bin/rabbitmq-server
[ -x $server ] || debian rabbitmq-server
printf 'listeners.tcp.1 = 127.0.0.1:%s\nmanagement.tcp.ip = 127.0.0.1\n' "$port" >"$home/rabbitmq.conf"
echo '[].' >"$home/plugins"
chown -R rabbitmq "$home"
export HOME=$home RABBITMQ_NODENAME=t$port@localhost RABBITMQ_MNESIA_BASE=$home/mnesia RABBITMQ_LOG_BASE=$home/log
export RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$home/plugins RABBITMQ_PID_FILE=$home/pid
export RABBITMQ_DIST_PORT=$((port + 1)) ERL_EPMD_PORT=${EPMD_PORT:-14369} ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
answers() {
  python3 -c "import socket; s = socket.create_connection(('127.0.0.1', $port), 1); s.settimeout(2)
s.send(b'AMQP\0\0\x09\x01'); assert s.recv(7)[0] == 1"
}
if ! answers 2>/dev/null; then
  setsid runuser -u rabbitmq --preserve-environment -- $server >"$home/out" 2>&1 </dev/null &
fi
await 90 answers || { tail -5 "$home/out"; exit 1; }
await 10 test -s "$home/pid"
ss -ltnp | grep "127.0.0.1:$ERL_EPMD_PORT " | grep -oE "pid=[0-9]+" | cut -d= -f2 >"$home/epmd.pid" || true
echo "READY amqp://guest:guest@127.0.0.1:$port// pid=$(cat "$home/pid")"
