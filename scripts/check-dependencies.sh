#!/usr/bin/env bash
# Dependencies point one way: no runtime in the protocol, no web framework in the library that applications embed.
set -euo pipefail

refuse() {
  local package=$1 crate=$2
  shift 2
  if cargo tree -p "$package" --edges normal --prefix none "$@" | grep -E "^$crate v" >&2; then
    echo "$package must not depend on $crate" >&2
    exit 1
  fi
}

for crate in tokio warp hyper getrandom; do
  refuse countersign-protocol "$crate"
done
for crate in warp hyper tokio-tungstenite actix-web; do
  refuse countersign-server "$crate" --no-default-features
done
refuse countersign-server countersign-wasm
refuse countersign-wasm countersign-server
