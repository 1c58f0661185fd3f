#!/usr/bin/env bash
# Runs every fuzz test, one after the other, for FUZZTIME each (default 30s).
# What breaks is kept in the testdata/fuzz of its package and belongs in the commit of the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== colonnade/rules TestDiffer, a million comparisons on each database"
COLONNADE_DIFFER="${COLONNADE_DIFFER:-1000000}" go test -count=1 -run '^TestDiffer$' -v ./rules

for package in $(go list ./...); do
  for test in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "== $package $test"
    go test -run '^$' -fuzz "^$test\$" -fuzztime "${FUZZTIME:-30s}" "$package"
  done
done
