#!/usr/bin/env bash
# Dependencies point one way: no runtime in the protocol, no web framework in the library that applications embed.
set -euo pipefail

refuse() {
  local package=$1 crate=$2 tree
  shift 2
  # By itself: in a pipe, or in the condition of an `if`, its failure would pass for a tree without the crate.
  tree=$(cargo tree -p "$package" --edges normal --prefix none "$@")
  if grep -E "^$crate v" <<<"$tree" >&2; then
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
refuse countersign-server tokio-postgres --no-default-features --features store
# Nor for who tries it out.
refuse countersign-server tokio-postgres --no-default-features --features http
refuse countersign-server countersign-wasm
refuse countersign-wasm countersign-server
# Traces are for those who build with them.
refuse countersign-server opentelemetry
