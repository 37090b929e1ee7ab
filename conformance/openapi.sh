#!/usr/bin/env bash
# Holds a server against its own OpenAPI document: schemathesis sends what the document allows and what it forbids, and
# looks at every answer. The seed is fixed.
#
#   conformance/openapi.sh    some 20 s, 90 s at most
set -euo pipefail
cd "$(dirname "$0")/.."

suite=".cache/venv/bin/schemathesis"
[ -x "$suite" ] || { echo "openapi: $suite is missing: run scripts/setup.sh test" >&2; exit 1; }
cargo build --quiet --locked -p fanfare-server
fanfare="${CARGO_TARGET_DIR:-target}/debug/fanfare"

files="$PWD/.cache/openapi"
rm -rf "$files"
mkdir -p "$files"
export FANFARE_KEY="a-key-for-schemathesis" FANFARE_API_KEYS="a-key-for-schemathesis"
: >"$files/server.log"
"$fanfare" serve --listen 127.0.0.1:0 --set admin.listen=[] --set "data_dir=$files/data" \
    >"$files/server.log" 2>&1 &
pids="$!"
trap 'kill $pids 2>/dev/null || true; wait $pids 2>/dev/null || true' EXIT

# Repeats a check until it succeeds; if the server has ended, its own words say why.
await() {
    until "$@"; do
        kill -0 "${pids%% *}" 2>/dev/null || { cat "$files/server.log" >&2; exit 1; }
        sleep 0.1
    done
}
is_said() { url="$(grep --only-matching --max-count 1 'http://127.0.0.1:[0-9]*' "$files/server.log")"; }
is_heard() { [[ "$("$fanfare" channels --url "$url" 2>/dev/null)" == *'"chat:lobby"'* ]]; }

await is_said
# So that the lists in the answers are not all empty.
"$fanfare" tail chat:lobby --url "$url" >/dev/null 2>&1 &
pids="$pids $!"
await is_heard

# What it remembers of failures belongs to the cache as well.
config="$PWD/conformance/schemathesis.toml" suite="$PWD/$suite"
cd "$files"
timeout 90 "$suite" --config-file "$config" --no-color run "$url/openapi.json" -H "X-API-Key: $FANFARE_KEY" \
    --seed 1 --generation-database none --suppress-health-check all >report || {
    # A failure may show a request of a hundred thousand characters.
    cut --characters=-400 report >&2
    exit 1
}
grep --extended-regexp '^(  [0-9]+ generated|=+ .* =+$)' report
