#!/usr/bin/env bash
# Prints what CHANGELOG.md, or another file, says of a version: changelog-section.sh VERSION [FILE]
set -euo pipefail

version=$1
file=${2:-$(dirname "${BASH_SOURCE[0]}")/../CHANGELOG.md}
# Letter for letter: a dot in a version is no pattern.
section=$(awk -v head="## [$version]" '
  /^## / { within = index($0, head) == 1; next }
  within { print }
' "$file")
[ -n "${section//[[:space:]]/}" ] || { echo "changelog-section: $file says nothing of $version: it needs '## [$version] - date'" >&2; exit 1; }
# Without the empty lines before and after it.
sed -e '/./,$!d' <<<"$section"
