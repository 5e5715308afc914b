#!/usr/bin/env bash
# Builds the npm package: Rust to WebAssembly, TypeScript to JavaScript, both packed into countersign-<version>.tgz.
# Needs Rust (rustup), Node.js 20 or later and network access on the first run. Respects CARGO_TARGET_DIR.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
target=${CARGO_TARGET_DIR:-$root/target}
cd "$here"

say() { printf 'sdk-wasm: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

check_target() {
  [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib" ] && return
  command -v rustup >/dev/null || die "Rust has no target wasm32-unknown-unknown here, and there is no rustup to add it"
  rustup target add wasm32-unknown-unknown || die "could not add the Rust target: run 'rustup target add wasm32-unknown-unknown' and try again"
}

# The bindings are only readable by a tool of the very same version. Cargo.lock cannot hold another one of the library that
# countersign-bindgen calls; an installed command saves compiling it.
has_bindgen() {
  local version
  version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/"/, "", $3); print $3 }' "$root/Cargo.lock")
  [ -n "$version" ] || die "Cargo.lock names no wasm-bindgen"
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ]
}

find_bindgen() {
  if has_bindgen; then
    bindgen() {
      wasm-bindgen --target bundler --encode-into always --remove-name-section --remove-producers-section \
        --out-dir "$2" --out-name "$3" "$1"
    }
  else
    cargo build --manifest-path "$root/Cargo.toml" -p countersign-bindgen --bin countersign-bindgen
    bindgen() { "$target/debug/countersign-bindgen" "$@"; }
  fi
}

install_npm() {
  [ node_modules/.package-lock.json -nt package-lock.json ] && return
  npm ci --no-audit --no-fund
}

# Where a panic stands would name directories of this machine, and of the registry: every visitor would download them. Added to the
# flags in .cargo/config.toml.
find_directories() {
  local directory
  cargo fetch --quiet --manifest-path "$root/Cargo.toml" --target wasm32-unknown-unknown
  for directory in "${CARGO_HOME:-$HOME/.cargo}" "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    nameless="${nameless:+$nameless, }'--remap-path-prefix=$directory='"
  done
}

# build_wasm CRATE SCRIPT WASM: makes build/SCRIPT.js and build/WASM.wasm of a crate, where they are older than it.
build_wasm() {
  local crate=$1 script=$2 name=$3 wasm=$target/wasm32-unknown-unknown/debug/${1//-/_}.wasm
  # Linked as one unit, which is a fifth smaller: cargo would ignore a profile's `lto`, since the crate is also a library to native tests. What is built
  # bit by bit is some hundred bytes larger, and there is a limit to the size.
  CARGO_INCREMENTAL=0 cargo rustc --manifest-path "$root/Cargo.toml" -p "$crate" --lib --crate-type cdylib --target wasm32-unknown-unknown \
    --config "$here/wasm.toml" --config "target.wasm32-unknown-unknown.rustflags=[$nameless]" -- -C lto=fat
  [ "build/$name.wasm" -nt "$wasm" ] && [ "build/$script.js" -nt "$wasm" ] && return
  mkdir -p build
  bindgen "$wasm" build "$script"
  # What rustc emits by default, and every browser since 2023 reads; the optimiser must not reach for more.
  local features=(--enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int
    --enable-reference-types --enable-sign-ext)
  # It inlines little: what is inlined is shorter by itself, and longer once it is compressed.
  node_modules/.bin/wasm-opt "${features[@]}" -Oz --converge --always-inline-max-function-size 4 --flexible-inline-max-function-size 4 \
    --one-caller-inline-max-function-size 20 -S -o "build/$name.wat" "build/${script}_bg.wasm"
  # Hashes compress badly, and stand in both files: two digits tell the functions apart.
  local short='s/__wbg_([A-Za-z0-9_]+)_([0-9a-f]{2})[0-9a-f]{14}/_\1_\2/'
  sed -E "$short" "build/$name.wat" >"build/$name.short.wat"
  node_modules/.bin/wasm-opt "${features[@]}" --strip-debug -o "build/$name.wasm" "build/$name.short.wat"
  # The target's own script imports the .wasm as no browser can; js/platform/wasm.ts does what is left of it.
  sed -E "$short" "build/${script}_bg.js" >"build/$script.js"
  rm "build/$name.wat" "build/$name.short.wat" "build/${script}_bg".*
}

pack() {
  cp "$root"/LICENSE-* . 2>/dev/null || say "no LICENSE files at the root of the repository, so none in the package"
  npm pack --silent
  rm -f LICENSE-*
}

# Asked by whoever could compile the tool beside something else.
if [ "${1-}" = --has-bindgen ]; then
  has_bindgen
  exit
fi
check_target
find_bindgen
find_directories
install_npm
build_wasm countersign-wasm core signer
build_wasm countersign-ed25519 ed25519-core ed25519
build_wasm countersign-encrypted encrypted-core encrypted
node_modules/.bin/tsc -p .
node bundle.mjs
pack
