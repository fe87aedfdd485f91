#!/usr/bin/env bash
# Makes ipcd-VERSION-PLATFORM.mcpb of a binary, for clients that install bundles, such as Claude Desktop.
#   packaging/mcpb/bundle.sh target/release/ipcd [linux|darwin|win32] [folder for the result]
# It needs npx, and fetches the official packer (@anthropic-ai/mcpb), which also checks the manifest.
set -euo pipefail
binary=$1 platform=${2:-linux} out=$(realpath "${3:-.}")
here=$(cd "$(dirname "$0")" && pwd)
read -ra mcpb <<<"${MCPB:-npx --yes @anthropic-ai/mcpb@2}"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../../Cargo.toml" | head -1)

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
install -D -m 755 "$binary" "$stage/server/ipcd"
install -m 644 "$here/../../LICENSE-MIT" "$here/../../LICENSE-APACHE" "$here/../../README.md" "$stage"
sed -e "s/\"version\": \"[^\"]*\"/\"version\": \"$version\"/" -e "s/\"platforms\": \[.*\]/\"platforms\": [\"$platform\"]/" \
    "$here/manifest.json" > "$stage/manifest.json"
"${mcpb[@]}" validate "$stage/manifest.json"
"${mcpb[@]}" pack "$stage" "$out/ipcd-$version-$platform.mcpb"
