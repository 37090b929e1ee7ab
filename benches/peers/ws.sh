#!/usr/bin/env bash
# The hub on the npm package ws. Usage: ws.sh PORT DIR
set -euo pipefail
exec node "$(dirname "$0")/ws-hub.mjs" "$1"
