#!/usr/bin/env bash
# Socket.IO. Usage: socketio.sh PORT DIR
set -euo pipefail
exec node "$(dirname "$0")/socketio-hub.mjs" "$1"
