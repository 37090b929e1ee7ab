#!/usr/bin/env bash
# nats-server with its WebSocket listener: no accounts, no TLS, no compression, heartbeats like the others'.
# Its TCP listener, which it insists on, gets the next port but 10,000. Usage: nats.sh PORT DIR
set -euo pipefail
cat >"$2/nats.conf" <<CONF
listen: "127.0.0.1:$(($1 + 10000))"
max_connections: 100000
ping_interval: "25s"
websocket { listen: "127.0.0.1:$1", no_tls: true, compression: false }
CONF
exec nats-server -c "$2/nats.conf"
