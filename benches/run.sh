#!/usr/bin/env bash
# Measures Fanfare beside its peers on this machine: every scenario against every server, in turn, several times.
#
#   benches/run.sh                                  everything; about an hour and a half
#   benches/run.sh --quick                          a smoke test of three or four minutes
#   benches/run.sh --peers "fanfare nats" --scenarios "fanout_1k many"
#
# Writes benches/results/<date>-<commit>.json and benches/results/latest.md (--quick writes neither; --keep DIR
# keeps the raw files). Each server is started afresh for each run, and only these are ended.
set -euo pipefail
cd "$(dirname "$0")/.."

peers="fanfare ws socketio nats nchan"
scenarios=""
runs=5
seconds=5
quick=""
extra=()
work=""
keep=""
while [ $# -gt 0 ]; do
    case "$1" in
    --peers) peers="$2" && shift ;;
    --scenarios) scenarios="$2" && shift ;;
    --runs) runs="$2" && shift ;;
    --seconds) seconds="$2" && shift ;;
    --window) extra+=(--window "$2") && shift ;;
    --keep) work="$2" keep=yes && shift ;;
    --quick) quick=yes runs=1 ;;
    *) echo "unknown option $1; see the head of $0" >&2 && exit 2 ;;
    esac
    shift
done

# --- what must be there ---------------------------------------------------------------------------------------

packages=()
case " $peers " in *" nats "*) command -v nats-server >/dev/null || packages+=(nats-server) ;; esac
case " $peers " in *" nchan "*)
    command -v nginx >/dev/null || packages+=(nginx)
    [ -e /usr/lib/nginx/modules/ngx_nchan_module.so ] || packages+=(libnginx-mod-nchan)
    ;;
esac
if [ ${#packages[@]} -gt 0 ]; then
    echo "installing ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
fi
case " $peers " in *" ws "* | *" socketio "*)
    [ -e benches/peers/node_modules ] || npm ci --silent --prefix benches/peers
    ;;
esac
cargo build --release --locked --quiet -p fanfare-bench
bench=$PWD/target/release/fanfare-bench
case " $peers " in *" fanfare "*)
    cargo build --release --locked --quiet -p fanfare-server
    export FANFARE=$PWD/target/release/fanfare
    ;;
esac

# --- servers --------------------------------------------------------------------------------------------------

[ -n "$keep" ] || work=$(mktemp -d)
mkdir -p "$work"
work=$(cd "$work" && pwd)
port=$((19000 + RANDOM % 500))
server=""

# Starts $1 in a folder of its own and waits until it listens; notes how long that took.
start() {
    port=$((port + 1))
    local dir="$work/$1" began answered
    mkdir -p "$dir"
    began=$(date +%s%N)
    "benches/peers/$1.sh" "$port" "$dir" >"$dir/log" 2>&1 &
    server=$!
    until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        answered=$(date +%s%N)
        if [ $((answered - began)) -gt 10000000000 ] || ! kill -0 "$server" 2>/dev/null; then
            echo "$1 does not listen:" >&2
            tail -n 20 "$dir/log" >&2
            return 1
        fi
    done
    answered=$(date +%s%N)
    printf '%s\t%s\n' "$1" $(((answered - began) / 1000000)) >>"$work/starts.tsv"
}

# Ends the server that was started last: politely, then not.
stop() {
    [ -n "$server" ] || return 0
    kill "$server" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=""
}
trap 'stop; [ -n "$keep" ] || rm -rf "$work"' EXIT

# --- runs -----------------------------------------------------------------------------------------------------

chosen=""
while read -r name; do
    if [ -z "$scenarios" ]; then chosen="$chosen $name"; fi
    for beginning in $scenarios; do
        case "$name" in "$beginning"*) chosen="$chosen $name" ;; esac
    done
done < <("$bench" --list | grep -v '^ ')

failed=0
for run in $(seq "$runs"); do
    for scenario in $chosen; do
        for peer in $peers; do
            start "$peer"
            echo "== run $run, $peer"
            json="$work/run-$run-$scenario-$peer.json"
            "$bench" --peer "$peer" --url "ws://127.0.0.1:$port" --pid "$server" --scenario "$scenario" --runs 1 \
                --seconds "$seconds" ${quick:+--quick} "${extra[@]}" --json "$json" || failed=$((failed + 1))
            stop
        done
    done
done

node benches/report.mjs "$work" ${quick:+--quick}
[ "$failed" = 0 ] || echo "$failed runs were faulty" >&2
exit $((failed > 0))
