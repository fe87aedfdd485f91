#!/usr/bin/env bash
# Real clients against ipcd, from their npm packages, against a loopback mock of their model APIs: dummy keys, no
# login, and a network of its own in which there is nothing else. Opt-in: it downloads some 1.5 GB once; `tools` alone,
# the MCP Inspector and the SDKs, 0.4 GB. 77: this system cannot run them.
#   tests/clients/run.sh [claude codex gemini copilot opencode plugins tools idle]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
set_of=clients
[ "$*" = tools ] && set_of=tools
export IPCD_CLIENTS=${IPCD_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/ipcd-$set_of}
export IPCD=${IPCD:-$here/../../target/debug/ipcd}
[ -x "$IPCD" ] || { echo "there is no $IPCD: cargo build, or set IPCD"; exit 2; }

skipped() { echo "SKIPPED: clients are not run: $*"; exit 77; }
for program in npm python3 unshare; do
    command -v "$program" >/dev/null || skipped "there is no $program"
done

# Without another network nothing can leave the machine, whatever a client tries; with a /run of its own the user's
# ipcd is out of reach, though clients scrub the environment that would lead elsewhere.
alone=(unshare --net --mount)
[ "$(id -u)" = 0 ] || alone=(unshare --user --map-root-user --net --mount)
"${alone[@]}" true 2>/dev/null || skipped "this system gives no network of its own (unshare --net)"

"$here/packages.sh" "$IPCD_CLIENTS" "$set_of" || skipped "their packages cannot be had"
PYTHONDONTWRITEBYTECODE=1 exec "${alone[@]}" python3 "$here/run.py" "$@"
