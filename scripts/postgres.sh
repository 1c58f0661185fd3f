#!/usr/bin/env bash
# A PostgreSQL server of one's own, for tests and benchmarks.
#
#   scripts/postgres.sh start DIR   make a cluster in DIR if there is none, start it, print its DSN
#   scripts/postgres.sh stop DIR    stop it; DIR stays
#
# DIR is empty, or was made by this script. The server listens on 127.0.0.1 on a
# free port and on a socket in DIR, trusts everyone there, and does not survive a
# power cut unless PG_FSYNC=on. The DSN is the only line on standard output.
# Needs PostgreSQL 14 or later; installs Debian's when there is none (root or sudo).
set -euo pipefail

oldest=14
say() { echo "postgres.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# binaries prints the folder of the newest server that is installed.
binaries() {
  local best=0 found="" candidate version
  for candidate in /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || true)"; do
    [ -x "$candidate" ] || continue
    candidate=$(readlink -f "$candidate")
    version=$("$candidate" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    if ! [ -x "${candidate%/*}/initdb" ] || [ "${version:-0}" -le "$best" ]; then continue; fi
    best=$version found=${candidate%/*}
  done
  [ "$best" -ge "$oldest" ] && echo "$found"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# install_server takes care that Debian does not make and start a cluster of its
# own: it is told so for the time of the installation.
install_server() {
  command -v apt-get >/dev/null || die "no PostgreSQL >= $oldest found, and no apt-get to install one with"
  local apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq) no_cluster=/etc/postgresql-common/createcluster.d/colonnade.conf
  say "installing PostgreSQL from Debian's packages"
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends postgresql-common
  as_root mkdir -p "${no_cluster%/*}"
  echo "create_main_cluster = false" | as_root tee "$no_cluster" >/dev/null
  local result=0
  "${apt[@]}" install -y --no-install-recommends postgresql || result=$?
  as_root rm -f "$no_cluster"
  return "$result"
}

# As root, everything runs under an account without rights: initdb and the server refuse root.
account=
if [ "$(id -u)" = 0 ]; then account=nobody; fi
as_account() {
  if [ -z "$account" ]; then "$@"; return; fi
  setpriv --reuid "$account" --regid "$(id -g "$account")" --clear-groups -- "$@"
}

arguments() { { tr '\0' ' ' <"/proc/$1/cmdline" || ps -o args= -p "$1"; } 2>/dev/null; }

# process prints the server's process id, if it is running and really is the server of this cluster.
process() {
  local id
  id=$(head -1 "$data/postmaster.pid" 2>/dev/null) || return 1
  case "$(arguments "$id")" in *"-D $data"*) echo "$id" ;; *) return 1 ;; esac
}

# make_cluster also remembers the binaries: a newer server does not open an older cluster.
make_cluster() {
  if [ -e "$data/PG_VERSION" ]; then bin=$(cat "$dir/binaries"); return; fi
  [ -z "$(ls -A "$dir")" ] || die "$dir is not empty, and holds no cluster made by this script"
  if [ -n "$account" ]; then chown "$account" "$dir"; fi
  as_account test -w "$dir" || die "the account $account cannot reach $dir: a folder above it is closed"
  as_account "$bin/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 --no-sync --no-instructions >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; die "initdb failed"; }
  echo "include = 'colonnade.conf'" | as_account tee -a "$data/postgresql.conf" >/dev/null
  echo "$bin" >"$dir/binaries"
}

configure() { # port
  local safe=${PG_FSYNC:-off} socket=$dir
  [ "${#dir}" -le 80 ] || { say "$dir is too long a name for a socket: TCP only"; socket=; }
  as_account tee "$data/colonnade.conf" >/dev/null <<EOF
port = $1
listen_addresses = '127.0.0.1'
unix_socket_directories = '${socket//\'/\'\'}'
max_connections = 200
fsync = $safe
synchronous_commit = $safe
full_page_writes = $safe
timezone = 'UTC'
EOF
}

start_server() {
  local port
  rm -f "$data/postmaster.pid" # left by a server that was killed: its process is gone, see process
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + RANDOM % 12000)) # below the ports that Linux hands to clients
    configure "$port"
    if as_account "$bin/pg_ctl" start -w -t 60 -s -D "$data" -l "$dir/postgres.log" >&2; then return; fi
    tail -3 "$dir/postgres.log" | grep -qi "address\|bind" || break # else the port was taken: another one
  done
  tail -20 "$dir/postgres.log" >&2
  die "the server did not start"
}

[ $# = 2 ] || die "usage: postgres.sh start|stop DIR"
verb=$1
if [ "$verb" = start ]; then mkdir -p "$2"; fi
dir=$(cd "$2" && pwd -P) || die "$2 is no folder"
data=$dir/data
cd /
unset PGDATA PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGPASSWORD PGSERVICE PGSSLMODE

case $verb in
start)
  bin=$(binaries) || { install_server >&2; bin=$(binaries); } || die "no PostgreSQL >= $oldest"
  make_cluster
  process >/dev/null || start_server
  echo "postgres://postgres@127.0.0.1:$(sed -n 4p "$data/postmaster.pid")/postgres?sslmode=disable"
  ;;
stop)
  process >/dev/null || exit 0
  bin=$(cat "$dir/binaries")
  as_account "$bin/pg_ctl" stop -w -t 30 -s -m fast -D "$data" >&2 ||
    as_account "$bin/pg_ctl" stop -w -t 30 -s -m immediate -D "$data" >&2
  ;;
*) die "usage: postgres.sh start|stop DIR" ;;
esac
