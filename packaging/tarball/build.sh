#!/bin/sh
# Builds the portable archive for Linux: packaging/tarball/build.sh BINARY TARGET FOLDER
# The program should be built for an old C library (packaging/README.md). The same files give the same bytes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
binary=$(realpath "$1") target=$2 folder=$(realpath "$3")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$project/Cargo.toml" | head -1)
name=ipcd-$version-$target
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/../layout.sh" "$binary" "$work/$name"
# Below a prefix, whichever it becomes.
(cd "$work/$name" && mv usr/* . && rmdir usr)
install -m 755 "$here/install.sh" "$work/$name/install.sh"
install -m 644 "$project"/README.md "$project"/CHANGELOG.md "$project"/LICENSE-* "$work/$name/"
archive=$folder/$name.tar.gz
tar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner -C "$work" -c "$name" |
    gzip -9n >"$archive"
echo "$archive"
