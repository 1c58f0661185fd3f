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

postgres=$(mktemp -d)
finish() {
  scripts/postgres.sh stop "$postgres" || true
  rm -rf "$postgres"
}
trap finish EXIT
trap 'exit 130' INT TERM

url=$(PG_FSYNC=on scripts/postgres.sh start "$postgres")
if [ "${1:-}" != test ]; then
  bin/bench -postgres "$url" "$@"
else
  shift
  if [ $# = 0 ]; then set -- -bench . ./...; fi
  COLONNADE_TEST_POSTGRES=$url go test -run '^$' -benchmem -p 1 "$@"
fi
