#!/usr/bin/env bash
# Installs Debian's NATS server where there is none, for the benchmark.
set -euo pipefail

PATH=$PATH:/usr/sbin:/usr/local/bin
command -v nats-server >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
  echo "no nats-server, and no apt-get to install it: install it, or leave it out with BENCH=\"--peers …\"" >&2
  exit 1
fi
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nats-server
