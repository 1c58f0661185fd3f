# Short recipes; the work lives in scripts/. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run demo build test test-fast lint fuzz oracle sabotage bench generate clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Serve in development mode: first administrator and API key made for you
	go run . serve --dev

demo: ## Show everything on the data of a coffee shop
	go run . demo

build: ## Build bin/colonnade: one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/colonnade .

test: ## All checks: vet, lint, race tests on SQLite and PostgreSQL, audit over HTTP, clients from npm
	@scripts/test.sh

test-fast: ## Tests on SQLite only, without the race detector
	env -u COLONNADE_TEST_POSTGRES go test ./...

lint: ## golangci-lint (the first run builds it)
	@scripts/lint.sh

fuzz: ## A million comparisons of expressions on each database, and every fuzz test for FUZZTIME (30s)
	@scripts/fuzz.sh

oracle: ## A million answers compared with those of a naive evaluator, on both databases
	@scripts/oracle.sh

sabotage: ## Whether the oracle finds known mistakes, one at a time
	@scripts/sabotage.sh

bench: ## Benchmarks on SQLite and PostgreSQL
	@scripts/bench.sh

generate: ## Write generated files anew
	go generate ./...

clean: ## Remove what was built; the linter in .cache stays
	rm -rf bin tests/*/node_modules
