#!/usr/bin/env bash
# What takes too long for every change: licences, sources and known vulnerabilities of all dependencies, certificates
# from a real ACME server, and a thousand clients that are cut again and again.
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO_DENY=0.20.2

tool=.cache/tools/bin/cargo-deny
if [ "$("$tool" --version 2>/dev/null)" != "cargo-deny $CARGO_DENY" ]; then
    cargo install --quiet --locked --root .cache/tools "cargo-deny@$CARGO_DENY"
fi
"$tool" --locked --workspace check --hide-inclusion-graph licenses bans sources
# Needs the public advisory database, hence the network.
if [ "${1:-}" = "--advisories" ]; then
    "$tool" --locked --workspace check advisories
fi

scripts/setup.sh nightly
conformance/acme.sh
scripts/cuts.sh
