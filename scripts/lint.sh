#!/usr/bin/env bash
# golangci-lint with .golangci.yml, on everything or on the packages given.
# The first run builds the linter into .cache/bin, which takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

version=2.15.0
lint=.cache/bin/golangci-lint
case "$("$lint" version --short 2>/dev/null || true)" in
"$version" | "v$version") ;;
*)
  echo "lint.sh: building golangci-lint $version, once" >&2
  GOBIN=$PWD/.cache/bin CGO_ENABLED=0 go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$version"
  ;;
esac
if [ $# = 0 ]; then set -- ./...; fi
exec "$lint" run "$@"
