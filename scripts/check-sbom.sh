#!/usr/bin/env bash
# Whether a list of components in CycloneDX's format has every crate that the server is built of, of those in Cargo.lock: check-sbom.sh FILE
set -euo pipefail

sbom=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tree=$(cargo tree --locked -p countersign-server --target x86_64-unknown-linux-musl --edges normal,build --prefix none --format '{p}')
crates=$(awk '{ sub(/^v/, "", $2); print $1, $2 }' <<<"$tree" | LC_ALL=C sort -u)
listed=$(jq -er 'select(.bomFormat == "CycloneDX") | .metadata.component, .components[] | "\(.name) \(.version)"' "$sbom" | LC_ALL=C sort -u)
missing=$(LC_ALL=C comm -23 <(echo "$crates") <(echo "$listed"))
[ -z "$missing" ] || { printf 'check-sbom: %s lacks\n%s\n' "$sbom" "$missing" >&2; exit 1; }
echo "$(wc -l <<<"$crates") crates"
