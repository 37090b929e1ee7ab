#!/bin/sh
# Runs every fuzz target for a while and fails on the first crash.
#
#   scripts/fuzz.sh [seconds for each target, default 30] [target ...]
#
# Seeds are committed in fuzz/seeds/<target>/; what a run finds is kept in fuzz/corpus/<target>/.
set -eu

cd "$(dirname "$0")/.."
seconds="${1:-30}"
[ $# -gt 0 ] && shift

if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install cargo-fuzz --locked
fi

targets="${*:-$(cargo +nightly fuzz list)}"
for target in $targets; do
    echo "== $target, $seconds s"
    mkdir -p "fuzz/corpus/$target" "fuzz/seeds/$target"
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
done
echo "== no crash in: $(echo "$targets" | tr '\n' ' ')"
