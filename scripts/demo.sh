#!/usr/bin/env bash
# Runs the demo to its end on each database that is there, and checks what it
# found against what is known: precision and recall of the golden records, the
# three roles, the time.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p bin
CGO_ENABLED=0 go build -o bin/colonnade .
work=$(mktemp -d)
database=
finish() {
  [ -z "$database" ] || psql -q "$COLONNADE_TEST_POSTGRES" -c "drop database if exists $database" || true
  rm -rf "$work"
}
trap finish EXIT

check() { # name, options...
  local name=$1
  shift
  bin/colonnade demo --once "$@" >"$work/$name" 2>&1 || { cat "$work/$name"; echo "demo on $name: failed"; return 1; }
  awk -v name="$name" '
    / pairs merged, / { match($0, /precision [0-9.]+/); p = substr($0, RSTART + 10, RLENGTH - 10); match($0, /recall [0-9.]+/); r = substr($0, RSTART + 7, RLENGTH - 7) }
    / sees [0-9]+ customers/ { n++; for (i = 1; i <= NF; i++) if ($i == "sees") seen[n] = $(i + 1) }
    /agreement with the stars/ { a = $5 }
    /^Done in / { s = $3 }
    END {
      printf "demo on %s: precision %s, recall %s, reviews %s, roles see %d, %d and %d customers, %s s\n", name, p, r, a, seen[1], seen[2], seen[3], s
      exit !(p >= 0.99 && r >= 0.99 && a >= 0.99 && n == 3 && seen[2] > 0 && seen[2] < seen[1] && seen[3] == seen[1] && s != "")
    }' "$work/$name" || { cat "$work/$name"; return 1; }
}

check sqlite
if [ -n "${COLONNADE_TEST_POSTGRES:-}" ]; then
  database=colonnade_demo_$$
  psql -q "$COLONNADE_TEST_POSTGRES" -c "create database $database"
  check postgres --database "$(sed -E "s#(://[^/]*/)[^?]*#\1$database#" <<<"$COLONNADE_TEST_POSTGRES")"
fi
