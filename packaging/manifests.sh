#!/bin/sh
# Fills the manifests of Homebrew, AUR, Scoop and winget for a release:
#   packaging/manifests.sh FOLDER HOMEPAGE URL
# FOLDER holds the release's files (ipcd-VERSION.tar.gz and ipcd-VERSION-x86_64-pc-windows-msvc.zip), which
# will be found below URL. The manifests go to FOLDER/manifests.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 homepage=$2 url=$3
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml" | head -1)
sum() { sha256sum "$folder/$1" | cut -d' ' -f1; }
source=$(sum "ipcd-$version.tar.gz")
windows=$(sum "ipcd-$version-x86_64-pc-windows-msvc.zip")
out=$folder/manifests
mkdir -p "$out/winget"
for file in homebrew/ipcd.rb aur/PKGBUILD windows/scoop.json windows/winget/ipcd.ipcd.yaml \
    windows/winget/ipcd.ipcd.installer.yaml windows/winget/ipcd.ipcd.locale.en-US.yaml; do
    case $file in
        */winget/*) to=$out/winget/$(basename "$file") ;;
        */scoop.json) to=$out/ipcd.json ;;
        *) to=$out/$(basename "$file") ;;
    esac
    sed -e "/^# A template:/d" -e "s|@VERSION@|$version|g" -e "s|@HOMEPAGE@|$homepage|g" -e "s|@URL@|$url|g" \
        -e "s|@SHA256_SOURCE@|$source|g" -e "s|@SHA256_WINDOWS@|$windows|g" "$here/$file" >"$to"
    ! grep -n '@[A-Z0-9_]*@' "$to" || { echo "left open: $to" >&2; exit 1; }
done
