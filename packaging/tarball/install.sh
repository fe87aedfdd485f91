#!/bin/sh
# Installs the files beside it: ./install.sh [--prefix FOLDER] [--uninstall]
# The prefix is ~/.local, or /usr/local for root. Nothing is started; names, mail and settings are not touched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=$HOME/.local
[ "$(id -u)" != 0 ] || prefix=/usr/local
uninstall=
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) prefix=${2:?--prefix needs a folder}; shift 2 ;;
        --uninstall) uninstall=1; shift ;;
        *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
    esac
done
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac

# Units are installed by `ipcd service install`, with the path that the program has got.
files=$(cd "$here" && find bin share -type f | sort)
if [ -n "$uninstall" ]; then
    if [ -x "$prefix/bin/ipcd" ]; then
        "$prefix/bin/ipcd" service uninstall >/dev/null 2>&1 || true
        "$prefix/bin/ipcd" stop >/dev/null 2>&1 || true
    fi
    for file in $files; do rm -f "$prefix/$file"; done
    echo "ipcd is gone from $prefix; names, mail and settings are where they were"
    exit 0
fi
for file in $files; do
    mkdir -p "$prefix/$(dirname "$file")"
    # In one step: a running program is replaced, not written over.
    cp "$here/$file" "$prefix/$file.new" && mv -f "$prefix/$file.new" "$prefix/$file"
done
echo "installed ipcd to $prefix"
case :$PATH: in *":$prefix/bin:"*) ;; *) echo "add $prefix/bin to your PATH" ;; esac
echo "next: ipcd install (connects your agents), ipcd service install (if you like)"
