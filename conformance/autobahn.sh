#!/bin/sh
# Runs the Autobahn cases against the echo example and compares with the committed results.
#
#   conformance/autobahn.sh               groups 1 to 7 and 10 (247 cases), and one size of groups 12 and 13 (12)
#   conformance/autobahn.sh --group 9     the cases about large messages (54)
#   conformance/autobahn.sh --group 12    the cases about compression (90), and --group 13 about its parameters (126):
#                                         216,000 messages, some five minutes each
#   conformance/autobahn.sh --tls         ... over TLS, with a certificate made for the occasion (needs stunnel4)
#   conformance/autobahn.sh --update      ... and rewrite the results instead of comparing
#   conformance/autobahn.sh --url URL     ... against a server that runs already
#
# The suite is kosoku, which runs the original cases without Docker and Python 2. It speaks no TLS itself: with --tls stunnel
# does so for it, and what stands behind stunnel is the server's own TLS.
set -eu

cd "$(dirname "$0")/.."
suite="kosoku==0.1.0"
group="" update="" url="" tls=""
while [ $# -gt 0 ]; do
    case "$1" in
        --group) group="$2"; shift 2 ;;
        --tls) tls="-tls"; shift ;;
        --update) update="--update"; shift ;;
        --url) url="$2"; shift 2 ;;
        *) sed -n '2,11s/^# *//p' "$0" >&2; exit 2 ;;
    esac
done

venv=".cache/autobahn"
if [ "$(cat "$venv/suite" 2>/dev/null)" != "$suite" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$suite"
    echo "$suite" >"$venv/suite"
fi

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

if [ -z "$url" ]; then
    cargo build --quiet --release -p fanfare-server --example echo
    port="$(free_port)"
    url="ws://127.0.0.1:$port/"
    pids=""
    trap 'kill $pids 2>/dev/null || true' EXIT INT TERM
    echo="${CARGO_TARGET_DIR:-target}/release/examples/echo"
    if [ -n "$tls" ]; then
        command -v stunnel4 >/dev/null || { echo "--tls needs stunnel4" >&2; exit 1; }
        files=".cache/autobahn-tls"
        mkdir -p "$files"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost -keyout "$files/tls.key" -out "$files/tls.crt" 2>/dev/null
        tls_port="$(free_port)"
        "$echo" "127.0.0.1:$tls_port" "$files/tls.crt" "$files/tls.key" &
        pids="$!"
        cat >"$files/stunnel.conf" <<CONF
foreground = yes
pid =
debug = err
[tls]
client = yes
accept = 127.0.0.1:$port
connect = 127.0.0.1:$tls_port
CAfile = $files/tls.crt
verifyChain = yes
checkHost = localhost
CONF
        stunnel4 "$files/stunnel.conf" &
        pids="$pids $!"
        python3 conformance/compare.py await "127.0.0.1:$tls_port"
    else
        "$echo" "127.0.0.1:$port" &
        pids="$!"
    fi
    python3 conformance/compare.py await "127.0.0.1:$port"
fi

# Runs the cases chosen by the arguments behind the name of their results.
cases() {
    name="$1"
    shift
    report=".cache/$name"
    rm -rf "$report"
    # Its exit status counts less than the report: a case it lets pass as NON-STRICT fails here.
    "$venv/bin/kosoku" "$url" "$@" -o "$report" || true
    python3 conformance/compare.py compare "$report/index.json" "conformance/results/$name.json" --suite "$suite" $update
}

if [ -n "$group" ]; then
    cases "autobahn$tls-$group" -i "$group.*"
else
    cases "autobahn$tls-1-7-10" -x '9.*' -x '12.*' -x '13.*'
    # Of every kind of data and of parameters the messages of 1 KiB.
    cases "autobahn$tls-12-13-short" -i '12.*.4' -i '13.*.4'
fi
