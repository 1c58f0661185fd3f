#!/usr/bin/env bash
# Builds the binary, starts it with the coffee example on a free port, and has clients from npm that nobody here wrote work with it:
# tests/clients. Arguments are files of tests there, all of them when left out.
# Needs Go and Node, without which it does nothing, unless COLONNADE_TEST_ALL is set. Leaves nothing running and nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/own_server.sh
if ! command -v npm >/dev/null; then
  say "needs Node and npm"
  [ -z "${COLONNADE_TEST_ALL:-}" ] || exit 1
  exit 0
fi

npm ci --prefix tests/clients --no-audit --no-fund --loglevel=error >&2
own_server demo --dev
own_server_waits 240 "did not finish the example" grep -q '^Explore it at' "$work/log"

if [ "$#" = 0 ]; then set -- tests/clients/*.test.mjs; fi
COLONNADE_URL=$url COLONNADE_KEY_FILE=$key_file COLONNADE_BINARY=$work/colonnade node --test --test-reporter=spec "$@" || { own_server_log; exit 1; }
