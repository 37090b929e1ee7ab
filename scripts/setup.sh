#!/usr/bin/env bash
# Installs what the other scripts need, on Debian 12, and does nothing when it is there already.
#
#   scripts/setup.sh demo    what scripts/demo.sh needs
#   scripts/setup.sh test    what scripts/test.sh needs
#   scripts/setup.sh nightly what scripts/nightly.sh needs
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
cd "$(dirname "$0")/.."

need() {
    command -v "$1" >/dev/null || { echo "setup: $1 is missing: $2" >&2; exit 1; }
}

# Installs a Debian package unless its command is there.
debian() {
    command -v "$1" >/dev/null && return
    need apt-get "this script installs Debian packages; on another system, install $2 yourself"
    echo "setup: installing $2"
    apt-get install -y -qq "$2" >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq "$2" >/dev/null; }
    command -v "$1" >/dev/null || { echo "setup: the package $2 did not bring $1" >&2; exit 1; }
}

# Runs a command when the file that pins its outcome is unlike the last time.
once() {
    local stamp=".cache/setup/$1" pin="$2"
    shift 2
    if ! cmp -s "$pin" "$stamp"; then
        echo "setup: $pin: $*"
        "$@"
        mkdir -p .cache/setup
        cp "$pin" "$stamp"
    fi
}

npm_packages() {
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
}

python_packages() {
    [ -x .cache/venv/bin/python ] || python3 -m venv .cache/venv
    .cache/venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$1"
}

need cargo "install stable Rust, as https://rustup.rs says"
debian curl curl
case "${1:-test}" in
    demo) ;;
    nightly) debian pebble pebble ;;
    test)
        need node "install Node.js 20 or newer"
        need npm "install Node.js 20 or newer"
        need python3 "install Python 3.11 or newer"
        cargo fmt --version >/dev/null
        cargo clippy --version >/dev/null
        debian chromium chromium
        debian openssl openssl
        debian promtool prometheus # of which the tests use the checker alone
        debian stunnel4 stunnel4
        debian /usr/sbin/nginx nginx
        debian /usr/sbin/haproxy haproxy
        [ -d e2e/node_modules ] || rm -f .cache/setup/npm
        once npm e2e/package-lock.json npm_packages e2e
        [ -d .cache/venv ] || rm -f .cache/setup/pip
        once pip e2e/requirements.txt python_packages e2e/requirements.txt
        ;;
    *)
        echo "usage: scripts/setup.sh [demo|test|nightly]" >&2
        exit 2
        ;;
esac
