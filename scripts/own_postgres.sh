# To be sourced: `own_postgres` starts a PostgreSQL for this run alone, exports its address as COLONNADE_TEST_POSTGRES, and
# has it stopped and removed when the script ends. The environment of scripts/postgres.sh, such as PG_FSYNC, applies.

own_postgres() {
  own_postgres_dir=$(mktemp -d)
  trap own_postgres_stop EXIT
  trap 'exit 130' INT TERM
  COLONNADE_TEST_POSTGRES=$(scripts/postgres.sh start "$own_postgres_dir") || return 1
  export COLONNADE_TEST_POSTGRES
}

own_postgres_stop() {
  scripts/postgres.sh stop "$own_postgres_dir" || true
  rm -rf "$own_postgres_dir"
}
