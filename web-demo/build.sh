#!/bin/sh
# Assembles dist/ from src/ and the packed SDK: the page runs on exactly what `npm install countersign` gives.
set -eu
cd "$(dirname "$0")"

package=$(ls -t ../sdk-wasm/countersign-*.tgz 2>/dev/null | head -n 1)
if [ -z "$package" ]; then
  echo "web-demo/build.sh: no sdk-wasm/countersign-*.tgz; run 'npm pack' in sdk-wasm first" >&2
  exit 1
fi

rm -rf dist
mkdir -p dist/countersign
cp -R src/. dist/
tar -xzf "$package" -C dist/countersign --strip-components=2 package/dist
