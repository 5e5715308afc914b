#!/bin/sh
# Makes what compose.yaml reads from secrets/: passwords, and the settings with a token for a first backend: secrets.sh NAME. The token is
# printed once. What makes it is the image, unless COUNTERSIGN names another command.
set -eu

name=${1:?the name that wallets show}
cd "$(dirname "$0")"
# The words of a command.
# shellcheck disable=SC2086
made=$(${COUNTERSIGN:-docker run --rm countersign:0.1.0} token "$name")
table=$(printf '%s\n' "$made" | sed -n '/^\[\[token\]\]/,$p')
[ -n "$table" ] || { echo "secrets.sh: no token in what was printed" >&2; exit 1; }
# Others of this machine are kept out by the directory; in the containers each file is read by another user.
umask 022
# Those that are there are in use.
mkdir -m 700 secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
password=$(random)
printf %s "$password" >secrets/postgres_password
random >secrets/grafana_password
printf 'database_url = "postgres://countersign:%s@postgres/countersign?sslmode=disable"\n\n%s\n' "$password" "$table" >secrets/countersign.toml
printf '%s\n' "$made" | sed '/^For the TOML file/,$d'
