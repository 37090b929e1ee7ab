#!/usr/bin/env bash
# Builds the server, starts it, publishes a message the way a backend does, reads it back, and stays up with the
# demo page open to every tab.
#
#   scripts/demo.sh                          until Ctrl-C, at http://127.0.0.1:8000/
#   scripts/demo.sh --listen 127.0.0.1:9000  elsewhere
#   scripts/demo.sh --check                  ends after the message has been seen
set -euo pipefail
cd "$(dirname "$0")/.."

listen=127.0.0.1:8000
check=""
while [ $# -gt 0 ]; do
    case "$1" in
        --listen) listen="$2"; shift 2 ;;
        --check) check=yes; shift ;;
        *) sed -n '5,7s/^# *//p' "$0" >&2; exit 2 ;;
    esac
done

scripts/setup.sh demo
cargo build --locked --release -p fanfare-server

export FANFARE_DATA_DIR="$PWD/.cache/demo"
"${CARGO_TARGET_DIR:-target}/release/fanfare" serve --listen "$listen" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT

api() {
    curl --silent --show-error --fail --retry 20 --retry-connrefused --retry-delay 1 "http://$listen/$1" \
        -H "X-API-Key: $(cat "$FANFARE_DATA_DIR/api.key")" -H "Content-Type: application/json" "${@:2}"
}

# Ready, or ended already: then its own words say why.
until curl --silent --fail --output /dev/null "http://$listen/ready"; do
    kill -0 "$server" 2>/dev/null || exit 1
    sleep 0.1
done
api api/publish -d '{"channel":"demo:lobby","data":{"text":"Hello from the command line"}}' >/dev/null
seen=$(api "api/history?channel=demo:lobby&limit=1&reverse=true")
case "$seen" in
    *"Hello from the command line"*) ;;
    *) echo "demo: the message was not seen: $seen" >&2; exit 1 ;;
esac
kill -0 "$server" # else another server answered at that address
echo
echo "Message seen: $seen"
echo "Open http://$listen/ in two tabs. Ctrl-C ends the server."
[ -n "$check" ] || wait "$server"
