#!/usr/bin/env bash
# Builds the npm package: TypeScript to JavaScript, packed into countersign-client-<version>.tgz. Needs Node.js 20 or later.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$here")")
cd "$here"

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
rm -rf dist
node_modules/typescript/bin/tsc -p .
cp "$root"/LICENSE-* .
trap 'rm -f LICENSE-*' EXIT
npm pack --silent
