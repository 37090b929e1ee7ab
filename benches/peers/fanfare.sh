#!/usr/bin/env bash
# Fanfare as it comes, open to everyone because only this machine can reach it. Usage: fanfare.sh PORT DIR
set -euo pipefail
cd "$2"
exec "${FANFARE:?the path of the server}" serve --listen "127.0.0.1:$1" --insecure
