#!/usr/bin/env bash
# Builds the server, starts it, subscribes to a channel, publishes to it the way a backend does, shows what the
# subscriber saw, and stays up with the demo page.
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
fanfare="${CARGO_TARGET_DIR:-target}/release/fanfare"
"$fanfare" serve --listen "$listen" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT

api() {
    curl --silent --show-error --fail "http://$listen/api/$1" "${@:2}" \
        -H "X-API-Key: $(cat "$FANFARE_DATA_DIR/api.key")" -H "Content-Type: application/json"
}

# Repeats a check until it succeeds; if the server has ended, its own words say why.
await() {
    until "$@"; do
        kill -0 "$server" 2>/dev/null || exit 1
        sleep 0.1
    done
}
is_ready() { curl --silent --fail --output /dev/null "http://$listen/ready"; }
is_heard() { [[ "$(api channels)" == *'"demo:lobby"'* ]]; }

await is_ready
"$fanfare" tail demo:lobby --url "http://$listen" --count 1 >.cache/demo/seen &
subscriber=$!
await is_heard
api publish -d '{"channel": "demo:lobby", "data": {"text": "Hello from the command line"}}' >/dev/null
wait "$subscriber"
grep --quiet "Hello from the command line" .cache/demo/seen
kill -0 "$server" # else another server answered at that address
echo
echo "Message seen by a subscriber: $(cat .cache/demo/seen)"
echo "Open http://$listen/ in two tabs. Ctrl-C ends the server."
[ -n "$check" ] || wait "$server"
