#!/usr/bin/env bash
# Makes all that a release consists of, in target/release-VERSION, from what is committed. Nothing is uploaded. Of the same commit, with the same compiler,
# come the same programs; SOURCE_DATE_EPOCH, by default the commit's time, is the time of every file.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
die() { echo "release: $*" >&2; exit 1; }

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
[ -n "$version" ] || die "Cargo.toml has no version"
# Looked for before anything is built.
[ -z "$(git status --porcelain)" ] || die "there are changes that are not committed"
changes=$(scripts/changelog-section.sh "$version")
for package in sdk-wasm clients/typescript; do
  packed=$(jq -r .version $package/package.json)
  [ "$packed" = "$version" ] || die "$package/package.json is of version $packed, and Cargo.toml of $version"
done
packed=$(sed -n '/^\[project\]/,/^\[/s/^version = "\(.*\)"$/\1/p' clients/python/pyproject.toml)
[ "$packed" = "$version" ] || die "clients/python/pyproject.toml is of version $packed, and Cargo.toml of $version"
grep -q "^countersign ($version-" packaging/debian/changelog || die "packaging/debian/changelog says nothing of $version"
for command in cargo-deb cargo-cyclonedx buildah jq npm; do
  command -v $command >/dev/null || die "there is no $command"
done

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH CARGO_INCREMENTAL=0
out=$root/target/release-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out"
umask 022

# Archives with nothing in them of who packed them, or when.
pack() { tar --create --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$@"; }

# build TARGET: the server alone, as its users build it. Where a panic stands would name directories of this machine.
build() {
  cargo build --release --locked --target "$1" -p countersign-server --bin countersign \
    --config "target.$1.rustflags=['--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=']"
}

# A program that needs nothing of the system.
build x86_64-unknown-linux-musl
static=target/x86_64-unknown-linux-musl/release/countersign
name=countersign-$version-x86_64-linux
install -D -s "$static" "$work/$name/countersign"
install -m 644 -t "$work/$name" LICENSE-APACHE LICENSE-MIT README.md CHANGELOG.md packaging/debian/countersign.{1,service,socket,toml}
pack --directory "$work" "$name" | gzip --no-name --best >"$out/$name.tar.gz"
scripts/build-image.sh "$static" "$out/countersign-$version-oci.tar"

# The package has the system's own C library.
build x86_64-unknown-linux-gnu
cargo deb -p countersign-server --target x86_64-unknown-linux-gnu --no-build --output "$out/"

cargo package --locked --no-verify -p countersign-protocol -p countersign-server
cp "target/package/countersign-protocol-$version.crate" "target/package/countersign-server-$version.crate" "$out"
sdk-wasm/build.sh
mv "sdk-wasm/countersign-$version.tgz" "$out/countersign-$version-npm.tgz"

clients/typescript/build.sh
mv "clients/typescript/countersign-client-$version.tgz" "$out/countersign-client-$version-npm.tgz"

# Of what each is made. The tool writes beside every Cargo.toml, so it gets a copy of them; where that lies is nobody's business.
mkdir "$work/source"
git archive HEAD | tar --extract --directory "$work/source"
# The wheel, from the sdist, by the tools that its own tests name; with the licences, which lie at the top.
cp LICENSE-* "$work/source/clients/python"
python3 -m venv "$work/python"
grep -oE '"(build|hatchling)==[^"]+"' clients/python/pyproject.toml | tr -d '"' >"$work/tools.txt"
"$work/python/bin/pip" install --quiet --disable-pip-version-check -r "$work/tools.txt"
"$work/python/bin/python" -m build --no-isolation --outdir "$out" "$work/source/clients/python"
# components FOLDER TARGET: the crates of one package.
components() {
  (cd "$work/source" && cargo cyclonedx --quiet --manifest-path "$1/Cargo.toml" --format json --spec-version 1.5 --target "$2" --override-filename sbom)
  sed "s|$work/source|/countersign|g" "$work/source/$1/sbom.json"
}
server=$out/countersign-$version-sbom.cdx.json
components server x86_64-unknown-linux-musl >"$server"
scripts/check-sbom.sh "$server"
# The crates in the WebAssembly of the npm package, and the packages that it may be installed with. What it is built by is no part of it.
for folder in sdk-wasm sdk-wasm/ed25519 sdk-wasm/encrypted; do
  components "$folder" wasm32-unknown-unknown >"$work/$(basename "$folder").json"
done
(cd sdk-wasm && npm sbom --package-lock-only --sbom-format cyclonedx) >"$work/npm.json"
jq --slurpfile npm "$work/npm.json" --slurpfile package sdk-wasm/package.json --slurp '
  ($package[0].optionalDependencies | keys) as $optional
  | {bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
     metadata: {timestamp: .[0].metadata.timestamp, component: ($npm[0].metadata.component | .name = $package[0].name)},
     components: (map(.metadata.component, .components[]) + ($npm[0].components | map(select(.name | IN($optional[]))))
       | map(del(.components)) | unique_by([.name, .version]))}
' "$work/sdk-wasm.json" "$work/ed25519.json" "$work/encrypted.json" >"$out/countersign-$version-npm-sbom.cdx.json"

printf '%s\n' "$changes" >"$out/CHANGES.md"
cd "$out"
sha256sum -- * >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
echo "$out"
ls -l
