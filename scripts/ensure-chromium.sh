#!/usr/bin/env bash
# Installs Debian's Chromium where there is none. CHROMIUM_BIN names another one.
set -euo pipefail

chromium=${CHROMIUM_BIN:-/usr/bin/chromium}
[ -x "$chromium" ] && exit 0
if ! command -v apt-get >/dev/null; then
  echo "no Chromium at $chromium, and no apt-get to install it: install it and set CHROMIUM_BIN" >&2
  exit 1
fi
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
[ -x "$chromium" ] || { echo "Chromium was installed, but not at $chromium: set CHROMIUM_BIN" >&2; exit 1; }
