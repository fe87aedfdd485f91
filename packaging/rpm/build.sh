#!/bin/sh
# Builds the rpm from a program that was built already: packaging/rpm/build.sh BINARY FOLDER
# Prints the path of the .rpm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1") folder=$(realpath "$2")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../../Cargo.toml" | head -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip -o "$work/ipcd" "$binary"
rpmbuild -bb --quiet --nodeps --define "_topdir $work" --define "_rpmdir $work/out" --define "ipcd_version $version" \
    --define "ipcd_binary $work/ipcd" --define "ipcd_packaging $here/.." \
    --define "ipcd_url ${IPCD_URL:-https://example.invalid/ipcd}" "$here/ipcd.spec" >&2
package=$(find "$work/out" -name '*.rpm')
mv "$package" "$folder/"
echo "$folder/$(basename "$package")"
