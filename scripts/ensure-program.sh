#!/usr/bin/env bash
# Installs a program from Debian's packages where there is none: ensure-program.sh PROGRAM PACKAGE…
set -euo pipefail

program=$1
shift
PATH=$PATH:/usr/sbin:/usr/local/bin
command -v "$program" >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
  echo "no $program, and no apt-get to install it: install it by hand and try again" >&2
  exit 1
fi
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
command -v "$program" >/dev/null || { echo "$* is installed, but $program is not there" >&2; exit 1; }
