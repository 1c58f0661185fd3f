#!/usr/bin/env bash
# Compares COLONNADE_CASES answers (a million when not set) with those of a naive evaluator, half of them on each database, over HTTP.
# The worlds are others each time; COLONNADE_SEED repeats a run. Starts a PostgreSQL of its own and stops it again, unless COLONNADE_TEST_POSTGRES names one.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/own_postgres.sh
[ -n "${COLONNADE_TEST_POSTGRES:-}" ] || own_postgres

COLONNADE_SEED="${COLONNADE_SEED:-$(date +%s)}" COLONNADE_CASES="${COLONNADE_CASES:-1000000}" go test -count=1 -timeout 6h -run '^TestOracle$' -v . | grep -v '^ *\(=== \|--- PASS: .*/[0-9]\)'
