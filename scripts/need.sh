#!/usr/bin/env bash
# Installs Debian's packages for the commands that are missing, and nothing else:
#
#   scripts/need.sh gcc=build-essential make=make
set -euo pipefail

packages=()
for need; do
  command -v "${need%%=*}" >/dev/null || packages+=("${need#*=}")
done
[ "${#packages[@]}" != 0 ] || exit 0

echo "need.sh: installing ${packages[*]}" >&2
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
if [ "$(id -u)" != 0 ]; then apt=(sudo -n "${apt[@]}"); fi
{ "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${packages[@]}"; } >&2
