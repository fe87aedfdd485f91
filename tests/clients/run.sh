#!/usr/bin/env bash
# Real clients against ipcd, from their npm packages, against a loopback mock of their model APIs: dummy keys, no
# login, and a network of its own in which there is nothing else. Opt-in: it downloads some 1.5 GB once.
#   tests/clients/run.sh [claude codex gemini copilot opencode plugins tools idle]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export IPCD_CLIENTS=${IPCD_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/ipcd-clients}
export IPCD=${IPCD:-$here/../../target/debug/ipcd}
[ -x "$IPCD" ] || { echo "there is no $IPCD: cargo build, or set IPCD"; exit 2; }

"$here/packages.sh" "$IPCD_CLIENTS"

# Without another network nothing can leave the machine, whatever a client tries; with a /run of its own the user's
# ipcd is out of reach, though clients scrub the environment that would lead elsewhere.
alone=(unshare --net --mount)
[ "$(id -u)" = 0 ] || alone=(unshare --user --map-root-user --net --mount)
"${alone[@]}" true || { echo "this system gives no network of its own (unshare --net): clients are not run"; exit 77; }
PYTHONDONTWRITEBYTECODE=1 exec "${alone[@]}" python3 "$here/run.py" "$@"
