#!/usr/bin/env bash
# Installs Debian's packages of what is no program, such as libraries, where they are not there: ensure-package.sh PACKAGE…
set -euo pipefail

if dpkg-query -W -f '${Status}\n' "$@" 2>/dev/null | grep -c '^install ok installed$' | grep -qx "$#"; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "no $*, and no apt-get to install them: install them by hand and try again" >&2
  exit 1
fi
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
