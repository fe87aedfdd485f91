#!/bin/sh
# Lays out the files that every package for Linux holds: packaging/layout.sh BINARY ROOT
# ROOT/usr/… is what the deb and the rpm contain; the tarball is made of the same.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binary=$1 root=$2

install -D -m 755 "$binary" "$root/usr/bin/ipcd"
for unit in ipcd.socket ipcd.service; do
    install -D -m 644 "$here/systemd/$unit" "$root/usr/lib/systemd/user/$unit"
done
for page in "$here"/man/*.1; do
    install -D -m 644 "$page" "$root/usr/share/man/man1/$(basename "$page")"
done
# Packages hold pages compressed, and without the time of their making.
gzip -9n "$root"/usr/share/man/man1/*.1
install -D -m 644 "$here/completions/ipcd.bash" "$root/usr/share/bash-completion/completions/ipcd"
install -D -m 644 "$here/completions/_ipcd" "$root${ZSH_FOLDER:-/usr/share/zsh/site-functions}/_ipcd"
install -D -m 644 "$here/completions/ipcd.fish" "$root/usr/share/fish/vendor_completions.d/ipcd.fish"
