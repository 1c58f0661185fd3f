#!/usr/bin/env bash
# Puts known mistakes into a copy of the program, one at a time, and tells whether the oracle finds each: a missed one shows what its
# worlds and questions are too poor for. The mistakes are tests/oracle/sabotage/*.patch; arguments name some of them.
#
#   scripts/sabotage.sh                       all of them
#   scripts/sabotage.sh share_ends mask_shown two of them
#
# COLONNADE_CASES is how many comparisons the oracle has for each (50,000), COLONNADE_SEED chooses its worlds. It asks on SQLite. The
# script fails when a mistake was missed, or does not fit the program any more: then its patch has to be written anew.
set -euo pipefail
cd "$(dirname "$0")/.."
unset COLONNADE_TEST_POSTGRES

mistakes=("$@")
[ $# -gt 0 ] || mapfile -t mistakes < <(cd tests/oracle/sabotage && ls -- *.patch)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$copy"

missed=0
for mistake in "${mistakes[@]}"; do
  mistake=${mistake%.patch}
  patch="$PWD/tests/oracle/sabotage/$mistake.patch" begun=$SECONDS
  printf '%-26s' "$mistake"
  if ! (cd "$copy" && patch -p1 -s -F3 --no-backup-if-mismatch <"$patch" && go test -c -o sabotaged.test .) >"$copy/log" 2>&1; then
    echo "does not fit:" && cat "$copy/log" && exit 1
  fi
  # Each comparison counts twice: half of them are for the database that is not there.
  if (cd "$copy" && COLONNADE_SEED="${COLONNADE_SEED:-1}" COLONNADE_CASES=$((2 * ${COLONNADE_CASES:-50000})) ./sabotaged.test -test.timeout 2h -test.v -test.run '^TestOracle$/^sqlite') >"$copy/log" 2>&1; then
    missed=$((missed + 1))
    echo "MISSED after $(sed -n 's/.*oracle_test.go:[0-9]*: \([0-9]* cases\).*/\1/p' "$copy/log") in $((SECONDS - begun)) s"
  elif grep -q 'oracle_test.go:[0-9]*: ' "$copy/log"; then
    echo "found in $((SECONDS - begun)) s: $(sed -n 's/.*oracle_test.go:[0-9]*: //p' "$copy/log" | head -1 | cut -c1-120)"
  else
    cat "$copy/log" && exit 1
  fi
  (cd "$copy" && patch -p1 -s -R -F3 --no-backup-if-mismatch <"$patch")
done
[ "$missed" = 0 ] || { echo "$missed of ${#mistakes[@]} were missed" && exit 1; }
