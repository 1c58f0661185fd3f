#!/usr/bin/env bash
# Runs the Go benchmarks against SQLite and a PostgreSQL that writes to the disk
# like a real one. Arguments go to go test: scripts/bench.sh -bench Query -count 10 ./tables
set -euo pipefail
cd "$(dirname "$0")/.."

postgres=$(mktemp -d)
finish() {
  scripts/postgres.sh stop "$postgres" || true
  rm -rf "$postgres"
}
trap finish EXIT
trap 'exit 130' INT TERM

COLONNADE_TEST_POSTGRES=$(PG_FSYNC=on scripts/postgres.sh start "$postgres")
export COLONNADE_TEST_POSTGRES
if [ $# = 0 ]; then set -- -bench . ./...; fi
go test -run '^$' -benchmem -p 1 "$@"
