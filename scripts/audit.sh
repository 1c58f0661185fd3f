#!/usr/bin/env bash
# Builds the binary, starts it in development mode on a free port, and holds it
# against tests/audit: the 61 audits of graphql-http and the killer documents.
# Needs Go and Node; leaves nothing running and nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/own_server.sh
command -v npm >/dev/null || { say "needs Node and npm"; exit 1; }

npm ci --prefix tests/audit --no-audit --no-fund --loglevel=error >&2
own_server serve --dev

result=0
node tests/audit/audit.mjs "$url" "$key_file" || result=1
if ! own_server_lives; then
  say "the server died"
  result=1
fi
if [ "$result" != 0 ]; then own_server_log; fi
exit "$result"
