#!/usr/bin/env bash
# Every check of the repository, from formatting to a browser. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    echo
    echo "== $1"
    shift
    local started=$SECONDS
    "$@"
    echo "== ok in $((SECONDS - started)) s"
}

end_to_end() {
    cargo build --locked -p fanfare-server -p fanfare-testkit
    npm test --prefix e2e
}

step "what the tests need" scripts/setup.sh test
step "format" cargo fmt --all --check
step "clippy" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
step "Rust tests, tidy among them" cargo test --workspace --locked --quiet
step "browsers and foreign clients" end_to_end
step "the HTTP API and its document" conformance/openapi.sh
step "conformance" conformance/autobahn.sh
step "conformance over TLS" conformance/autobahn.sh --tls
echo
echo "all passed in $SECONDS s"
