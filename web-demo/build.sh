#!/bin/sh
# Assembles dist/ from src/ and the packed SDK: the page runs on exactly what `npm install countersign` gives.
set -eu
cd "$(dirname "$0")"

package=$(ls -t ../sdk-wasm/countersign-*.tgz 2>/dev/null | head -n 1)
if [ -z "$package" ]; then
  echo "web-demo/build.sh: no sdk-wasm/countersign-*.tgz; run 'npm pack' in sdk-wasm first" >&2
  exit 1
fi

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
rm -rf build
mkdir build
tar -xzf "$package" -C build
node build.mjs
