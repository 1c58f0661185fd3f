#!/usr/bin/env bash
# Measures Colonnade beside the bare limit, on SQLite and on a PostgreSQL that writes to the disk like a real one.
# Arguments go to the program in bench/: scripts/bench.sh -only W2,W5 -profile /tmp/profiles; its README tells more.
#
#   scripts/bench.sh test [arguments of go test]    the benchmarks of the packages instead, such as -bench Query ./tables
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != test ]; then
  export CGO_ENABLED=0
  go build -trimpath -ldflags '-s -w' -o bin/colonnade .
  go build -o bin/ ./bench ./bench/limit
fi

. scripts/own_postgres.sh
PG_FSYNC=on own_postgres

if [ "${1:-}" != test ]; then
  bin/bench -postgres "$COLONNADE_TEST_POSTGRES" "$@"
else
  shift
  if [ $# = 0 ]; then set -- -bench . ./...; fi
  go test -run '^$' -benchmem -p 1 "$@"
fi
