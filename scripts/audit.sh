#!/usr/bin/env bash
# Builds the binary, starts it in development mode on a free port, and holds it
# against tests/audit: the 61 audits of graphql-http and the killer documents.
# Needs Go and Node; leaves nothing running and nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "audit.sh: $*" >&2; }
command -v npm >/dev/null || { say "needs Node and npm"; exit 1; }

work=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

CGO_ENABLED=0 go build -trimpath -o "$work/colonnade" .
npm ci --prefix tests/audit --no-audit --no-fund --loglevel=error >&2

"$work/colonnade" serve --dev --data "$work/data" --addr 127.0.0.1:0 \
  --addr-file "$work/addr" --key-file "$work/key" >"$work/log" 2>&1 &
server=$!

for _ in $(seq 300); do # 30 s
  [ -s "$work/addr" ] && [ -s "$work/key" ] && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
if ! [ -s "$work/addr" ] || ! [ -s "$work/key" ]; then
  say "the server did not write --addr-file and --key-file; the end of its log:"
  tail -30 "$work/log" >&2
  exit 1
fi

result=0
node tests/audit/audit.mjs "http://$(tr -d '[:space:]' <"$work/addr")/graphql" "$work/key" || result=1
if ! kill -0 "$server" 2>/dev/null; then
  say "the server died"
  result=1
fi
if [ "$result" != 0 ]; then
  say "the end of the server's log:"
  tail -30 "$work/log" >&2
fi
exit "$result"
