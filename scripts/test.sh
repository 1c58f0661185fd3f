#!/usr/bin/env bash
# What must hold before a change lands, cheapest first: `make test`.
# Starts a PostgreSQL of its own and stops it again; a server that is named in
# COLONNADE_TEST_POSTGRES is used instead. Goes on after a failure, so that one
# run tells everything; exits with 1 if anything failed.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/own_postgres.sh

failed=0 summary=
step() { # name, command...
  local name=$1 begin=$SECONDS verdict=ok
  shift
  echo "== $name"
  "$@" || { verdict=FAIL failed=1; }
  summary+=$(printf '%-5s %-22s %4d s' "$verdict" "$name" $((SECONDS - begin)))$'\n'
}

formatted() {
  local files
  files=$(find . -name '*.go' -not -path './.cache/*' -not -path '*/node_modules/*' -print0 | xargs -0 gofmt -l)
  [ -z "$files" ] || { echo "not formatted, run gofmt -w on:"; echo "$files"; return 1; }
}

compiler() { # the race detector is linked with cgo
  scripts/need.sh gcc=build-essential
}

database() {
  [ -n "${COLONNADE_TEST_POSTGRES:-}" ] || own_postgres
}

browser() { # that the pages are clicked through in
  scripts/need.sh chromium=chromium
}

provider() { # of identities, that log-ins are tested with
  scripts/need.sh npm=npm && npm ci --prefix tests/oidc --no-audit --no-fund --loglevel=error
}

# Without a database the tests would pass by leaving PostgreSQL out, and without COLONNADE_TEST_ALL what needs a browser or
# a provider. Those of the root package run the whole program and wait for disks much of the time: all other packages run beside it, and
# both take about as long.
tests() (
  [ -n "${COLONNADE_TEST_POSTGRES:-}" ] || { echo "no PostgreSQL: not run"; return 1; }
  export COLONNADE_TEST_ALL=1 CGO_ENABLED=1
  verdict=0 beside=$(mktemp)
  go list ./... | grep -v "^$(go list .)\$" | xargs go test -race -p 1 -timeout 45m >"$beside" 2>&1 &
  go test -race -timeout 45m -skip '^TestMoveScenarios$' . || verdict=1
  wait "$!" || verdict=1
  cat "$beside"
  rm "$beside"
  return "$verdict"
)

# The scenarios once more, with a move to the other database in the middle: the race detector has seen them without it.
moves() {
  [ -n "${COLONNADE_TEST_POSTGRES:-}" ] || { echo "no PostgreSQL: not run"; return 1; }
  go test -timeout 20m -run '^TestMoveScenarios$' .
}

# That they run; what they say takes a quiet machine. Those that write 100,000 records are left out.
benchmarks() {
  go test -run '^$' -bench . -benchtime 1x -skip 'Bulk|Derived|FanOut|Verify|Reach' ./... | awk '/^(---|FAIL|panic|ok)/'
}

step "gofmt" formatted
step "go vet" go vet ./...
step "golangci-lint" scripts/lint.sh
step "gcc" compiler
step "PostgreSQL" database
step "identity provider" provider
step "Chromium" browser
step "go test -race" tests
step "moves" moves
step "benchmarks" benchmarks
step "oracle" env COLONNADE_SEED=1000 COLONNADE_CASES=25000 scripts/oracle.sh
step "demo" scripts/demo.sh
step "audit over HTTP" scripts/audit.sh
step "clients" env COLONNADE_TEST_ALL=1 scripts/clients.sh

echo
echo "$summary"
if [ "$failed" = 0 ]; then echo "everything passed"; else echo "SOMETHING FAILED"; fi
exit "$failed"
