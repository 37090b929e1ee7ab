#!/bin/sh
# Runs the Autobahn cases against the echo example and compares with the committed results.
#
#   conformance/autobahn.sh               groups 1 to 7 and 10 (247 cases)
#   conformance/autobahn.sh --group 9     the cases about large messages (54)
#   conformance/autobahn.sh --update      ... and rewrite the results instead of comparing
#   conformance/autobahn.sh --url URL     ... against a server that runs already
#
# Groups 12 and 13 are about compression, which is not negotiated. The suite is kosoku, which runs the
# original cases without Docker and Python 2.
set -eu

cd "$(dirname "$0")/.."
suite="kosoku==0.1.0"
group="" update="" url=""
while [ $# -gt 0 ]; do
    case "$1" in
        --group) group="$2"; shift 2 ;;
        --update) update="--update"; shift ;;
        --url) url="$2"; shift 2 ;;
        *) sed -n '2,8s/^# *//p' "$0" >&2; exit 2 ;;
    esac
done

venv=".cache/autobahn"
if [ "$(cat "$venv/suite" 2>/dev/null)" != "$suite" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$suite"
    echo "$suite" >"$venv/suite"
fi

if [ -z "$url" ]; then
    cargo build --quiet --release -p fanfare-server --example echo
    port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    url="ws://127.0.0.1:$port/"
    "${CARGO_TARGET_DIR:-target}/release/examples/echo" "127.0.0.1:$port" &
    echo_pid=$!
    trap 'kill "$echo_pid" 2>/dev/null || true' EXIT INT TERM
    python3 conformance/compare.py await "127.0.0.1:$port"
fi

if [ -n "$group" ]; then
    name="autobahn-$group"
    set -- -i "$group.*"
else
    name="autobahn-1-7-10"
    set -- -x '9.*' -x '12.*' -x '13.*'
fi
report=".cache/$name"
rm -rf "$report"
# Its exit status counts less than the report: a case it lets pass as NON-STRICT fails here.
"$venv/bin/kosoku" "$url" "$@" -o "$report" || true
python3 conformance/compare.py compare "$report/index.json" "conformance/results/$name.json" --suite "$suite" $update
