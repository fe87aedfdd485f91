#!/bin/sh
# Builds the Debian package from a program that was built already: packaging/debian/build.sh BINARY FOLDER
# Prints the path of the .deb. `cargo deb` makes the same for a release (Cargo.toml); this takes a second.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
binary=$(realpath "$1") folder=$(realpath "$2")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$project/Cargo.toml" | head -1)
architecture=$(dpkg --print-architecture)
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

ZSH_FOLDER=/usr/share/zsh/vendor-completions "$here/../layout.sh" "$binary" "$root"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/ipcd"
documents=$root/usr/share/doc/ipcd
install -D -m 644 "$here/copyright" "$documents/copyright"
install -D -m 644 "$project/CHANGELOG.md" "$documents/changelog"
sed "s/@VERSION@/$version/" "$here/changelog" >"$documents/changelog.Debian"
gzip -9n "$documents/changelog" "$documents/changelog.Debian"
install -D -m 644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/ipcd"

# dpkg-shlibdeps wants a source package around it.
mkdir -p "$work/debian" "$root/DEBIAN"
printf 'Source: ipcd\n\nPackage: ipcd\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O root/usr/bin/ipcd 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@DEPENDS@/$depends/" \
    -e "s/@SIZE@/$(du -sk "$root/usr" | cut -f1)/" "$here/control" >"$root/DEBIAN/control"
install -m 755 "$here/postinst" "$here/prerm" "$root/DEBIAN/"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
package=$folder/ipcd_$version-1_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
