# To be sourced: `own_server ARGUMENT...` builds the binary and runs `colonnade ARGUMENT...` on a free port with a database of its
# own, in $work, which is removed when the script ends. $url and $key_file say where it is and how to be its administrator.

say() { echo "${0##*/}: $*" >&2; }

own_server() {
  work=$(mktemp -d)
  server=
  trap own_server_stop EXIT
  trap 'exit 130' INT TERM
  CGO_ENABLED=0 go build -trimpath -o "$work/colonnade" .
  "$work/colonnade" "$@" --data "$work/data" --addr 127.0.0.1:0 --addr-file "$work/addr" --key-file "$work/key" >"$work/log" 2>&1 &
  server=$!
  own_server_waits 30 "did not write --addr-file and --key-file" test -s "$work/addr" -a -s "$work/key"
  key_file=$work/key url=http://$(tr -d '[:space:]' <"$work/addr")/graphql
}

# own_server_waits SECONDS FAILURE COMMAND...: until the command succeeds, while the server runs.
own_server_waits() {
  local seconds=$1 failure=$2
  shift 2
  for _ in $(seq $((seconds * 10))); do
    if "$@"; then return 0; fi
    own_server_lives || break
    sleep 0.1
  done
  say "the server $failure"
  own_server_log
  return 1
}

own_server_lives() { kill -0 "$server" 2>/dev/null; }

own_server_log() {
  say "the end of the server's log:"
  tail -30 "$work/log" >&2
}

own_server_stop() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
