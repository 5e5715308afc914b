#!/usr/bin/env bash
# Whether every backend of curve25519-dalek that runs here comes to the same: compare-backends.sh [MUTATIONS]
# The first is what the server is built with (.cargo/config.toml); the others are built beside it, with none but the crates they need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mutations=${1:-20000}
target=${CARGO_TARGET_DIR:-target}

verdicts() {
  cargo run --quiet -p countersign-protocol --features precomputed-tables --example verdicts "$@" -- "$mutations"
}

# Flags in the environment take the place of those in .cargo/config.toml.
forced() {
  RUSTFLAGS="--cfg curve25519_dalek_backend=\"$1\"" verdicts --target-dir "$target/backends/$1"
}

found=$(verdicts)
found+=$'\n'$(forced serial)
[ "$(uname -m)" != x86_64 ] || found+=$'\n'$(forced simd)
echo "$found"
if [ "$(cut -d' ' -f2- <<<"$found" | sort -u | wc -l)" -ne 1 ]; then
  echo "the backends differ" >&2
  exit 1
fi
if grep -qsw avx512ifma /proc/cpuinfo && ! grep -q ^avx512 <<<"$found"; then
  echo "this processor has AVX-512 IFMA, and the server is built without it: see .cargo/config.toml" >&2
  exit 1
fi
