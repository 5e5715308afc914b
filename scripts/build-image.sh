#!/usr/bin/env bash
# Makes an archive in OCI's format of a static binary: build-image.sh BINARY ARCHIVE. Neither an engine nor a registry is needed, and of the same binary
# and certificates it makes the same bytes each time.
set -euo pipefail

binary=$(realpath "$1")
archive=$(realpath -m "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "build-image: $*" >&2; exit 1; }

for program in buildah jq readelf; do
  command -v $program >/dev/null || die "there is no $program: apt-get install buildah jq binutils"
done
certificates=/etc/ssl/certs/ca-certificates.crt
[ -s $certificates ] || die "there is no $certificates: apt-get install ca-certificates"
! LC_ALL=C readelf -l "$binary" | grep INTERP >/dev/null || die "$binary needs shared libraries, and the image has none"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
context=$work/context
install -D -s "$binary" "$context/root/usr/bin/countersign"
# For webhooks over https and databases with sslmode=verify-full.
install -D -m 644 $certificates "$context/root$certificates"
install -D -m 644 -t "$context/root/etc" packaging/oci/passwd packaging/oci/group
install -D -m 644 -t "$context/root/usr/share/doc/countersign" LICENSE-APACHE LICENSE-MIT
install -d "$context/root/var/lib"
install -d -m 700 "$context/data/countersign"

version=$("$binary" --version)
version=${version#* }
name=countersign:$version
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
# Storage of its own, since images of this machine are nobody else's business.
storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
buildah "${storage[@]}" build --quiet --isolation chroot --layers=false --timestamp "$epoch" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD)" \
  --file packaging/oci/Containerfile --tag "oci:$work/oci:$name" "$context" >/dev/null
# Engines that read `docker save` go by this list, those with containerd by the name in the index.
blobs=$work/oci/blobs/sha256
manifest=$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' "$work/oci/index.json")
blob='("blobs/" + (. | sub(":"; "/")))'
jq -c --arg name "$name" "[{Config: (.config.digest | $blob), RepoTags: [\$name], Layers: [.layers[].digest | $blob]}]" \
  "$blobs/$manifest" >"$work/oci/manifest.json"
index=$(jq -c --arg name "docker.io/library/$name" '.manifests[0].annotations["io.containerd.image.name"] = $name' "$work/oci/index.json")
printf %s "$index" >"$work/oci/index.json"
mkdir -p "$(dirname "$archive")"
tar --create --file "$archive" --directory "$work/oci" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
  blobs index.json manifest.json oci-layout
echo "$archive"
