#!/usr/bin/env bash
# Cuts the lines of a thousand clients for 2 s every 10 s, for a minute on each transport, and lets others change their
# transport a thousand times; writes what was delivered, and what the server used, to benches/results/cuts-<date>-<commit>.jsonl.
#
#   scripts/cuts.sh                     everything, about eight minutes and the build
#   scripts/cuts.sh long_polling        the runs whose names have this; writes nothing
set -euo pipefail
cd "$(dirname "$0")/.."

# The clients, their lines and the judge share the machine with the server: they are optimised as well.
cuts=(cargo test --locked --release -p fanfare-server --test cuts --)
"${cuts[@]}" --list >/dev/null
# Both ends of every connection, and of its line, are on this machine.
ulimit -n "$(ulimit -Hn)"
export FANFARE_CUTS=full
# One after another: each has the machine for itself.
if [ $# -gt 0 ]; then
    exec "${cuts[@]}" --test-threads 1 --nocapture "$@"
fi

commit="$(git rev-parse --short=10 HEAD)"
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit="$commit-changed"
cpu="$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
machine="$(nproc) cores ($cpu), Linux $(uname -r), server, clients and lines together"
mkdir -p .cache
export FANFARE_CUTS_OUT="$PWD/.cache/cuts.jsonl"
printf '{"date":"%s","commit":"%s","machine":"%s"}\n' "$(date +%F)" "$commit" "$machine" >"$FANFARE_CUTS_OUT"
status=0
"${cuts[@]}" --test-threads 1 || status=$?
mv "$FANFARE_CUTS_OUT" "benches/results/cuts-$(date +%F)-$commit.jsonl"
exit "$status"
