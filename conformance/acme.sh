#!/usr/bin/env bash
# Orders a certificate from pebble, the test server of the people who wrote Let's Encrypt, and starts again with the
# one that was kept.
#
#   conformance/acme.sh [path of fanfare]     builds it without; needs pebble (Debian's package of this name), openssl and curl
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || cargo build --quiet --locked -p fanfare-server
fanfare="${1:-${CARGO_TARGET_DIR:-target}/debug/fanfare}"
for tool in pebble pebble-challtestsrv openssl curl; do
    command -v "$tool" >/dev/null || { echo "acme: $tool is missing" >&2; exit 1; }
done

free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
PYTHON
}
read -r directory management dns control tls plain admin < <(free_ports 7)

folder="$PWD/.cache/acme"
rm -rf "$folder"
mkdir -p "$folder/home"
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
    -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
cat >"$folder/pebble.json" <<JSON
{"pebble": {"listenAddress": "127.0.0.1:$directory", "managementListenAddress": "127.0.0.1:$management",
 "certificate": "$folder/ca.crt", "privateKey": "$folder/ca.key", "httpPort": 1, "tlsPort": $tls,
 "ocspResponderURL": "", "externalAccountBindingRequired": false}}
JSON
# Every name leads to this host.
pebble-challtestsrv -defaultIPv6 "" -dns01 "127.0.0.1:$dns" -management "127.0.0.1:$control" \
    -http01 "" -https01 "" -tlsalpn01 "" >"$folder/dns.log" 2>&1 &
pids+=($!)
PEBBLE_VA_NOSLEEP=1 pebble -config "$folder/pebble.json" -dnsserver "127.0.0.1:$dns" >"$folder/pebble.log" 2>&1 &
pids+=($!)

# Repeats a command until it succeeds, for at most half a minute.
await() {
    local given_up=$((SECONDS + 30))
    until "$@"; do
        [ "$SECONDS" -lt "$given_up" ] || { tail -n 20 "$folder"/*.log >&2; exit 1; }
        sleep 0.1
    done
}
is_up() { curl --silent --output /dev/null --cacert "$folder/ca.crt" "https://localhost:$directory/dir"; }
is_served() {
    curl --silent --insecure --output "$folder/root.crt" "https://localhost:$management/roots/0" &&
        curl --silent --fail --output /dev/null --cacert "$folder/root.crt" \
            --resolve "fanfare.test:$tls:127.0.0.1" "https://fanfare.test:$tls/health"
}
start() {
    HOME="$folder/home" FANFARE_TLS_LISTEN="127.0.0.1:$tls" FANFARE_TLS_ACME_DOMAINS="fanfare.test" \
        FANFARE_TLS_ACME_DIRECTORY="https://localhost:$directory/dir" FANFARE_TLS_ACME_CONTACT="ann@fanfare.test" \
        FANFARE_TLS_ACME_CA_FILE="$folder/ca.crt" FANFARE_ADMIN_LISTEN="127.0.0.1:$admin" \
        "$fanfare" serve --listen "127.0.0.1:$plain" >"$folder/fanfare.out" 2>"$folder/fanfare-$1.log" &
    server=$!
    pids+=("$server")
}

await is_up
start first
await is_served
echo "acme: a certificate was ordered and is served"
kill "$server"
wait "$server" || true
[ "$(stat -c %a "$folder/home/.local/share/fanfare/acme")" = 700 ]

start second
await is_served
grep --quiet "the certificate of the last order is in force" "$folder/fanfare-second.log"
[ "$(grep --count 'Issued certificate' "$folder/pebble.log")" = 1 ]
echo "acme: the second start used the certificate that was kept"
