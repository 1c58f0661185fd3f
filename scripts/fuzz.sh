#!/usr/bin/env bash
# Compares expressions a million times on each database, and runs every fuzz test, one after the other, for FUZZTIME each
# (default 30s). Starts a PostgreSQL of its own and stops it again, unless COLONNADE_TEST_POSTGRES names one.
# What breaks is kept in the testdata/fuzz of its package and belongs in the commit of the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/own_postgres.sh
[ -n "${COLONNADE_TEST_POSTGRES:-}" ] || own_postgres

echo "== colonnade/rules TestDiffer and TestDifferReach, a million comparisons each on each database"
COLONNADE_DIFFER="${COLONNADE_DIFFER:-1000000}" go test -count=1 -timeout 60m -run '^TestDiffer(Reach)?$' -v ./rules

for package in $(go list ./...); do
  for test in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "== $package $test"
    go test -run '^$' -fuzz "^$test\$" -fuzztime "${FUZZTIME:-30s}" "$package"
  done
done
