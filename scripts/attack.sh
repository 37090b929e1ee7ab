#!/usr/bin/env bash
# Attacks a release build under a memory limit, with a healthy group of clients measured beside, and writes the raw
# numbers to benches/results/attacks-<date>-<commit>.json and a table beside them.
#
#   scripts/attack.sh                    everything, about ten minutes
#   scripts/attack.sh --attack connects  one attack; writes nothing
set -euo pipefail
cd "$(dirname "$0")/.."

# Only the server is measured; optimising the attackers takes minutes and gains nothing.
cargo build --locked --release -p fanfare-server
cargo build --locked -p fanfare-attack
target="${CARGO_TARGET_DIR:-target}"
attack=("$target/debug/fanfare-attack" --server "$target/release/fanfare")
# Both ends of every connection are on this machine, each end in one process.
ulimit -n "$(ulimit -Hn)"
if [ $# -gt 0 ]; then
    exec "${attack[@]}" "$@"
fi

commit="$(git rev-parse --short=10 HEAD)"
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit="$commit-changed"
name="benches/results/attacks-$(date +%F)-$commit"
cpu="$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
machine="$(nproc) cores ($cpu), Linux $(uname -r)"
mkdir -p .cache
status=0
"${attack[@]}" --machine "$machine" --commit "$commit" \
    --out "$name.json" >.cache/attacks.md || status=$?
{
    echo "# A server under attack"
    echo
    echo "Measured $(date +%F) at commit $commit, server, attackers and healthy clients together on one machine: $machine."
    echo
    cat .cache/attacks.md
} >"$name.md"
cat "$name.md"
exit "$status"
