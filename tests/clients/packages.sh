#!/usr/bin/env bash
# packages.sh FOLDER clients|tools: puts the clients, or the MCP Inspector and the SDKs alone, into a folder outside of
# the project. Versions are fixed: results are of these.
set -euo pipefail
folder=$1 what=$2
packages=(
    node@24 @modelcontextprotocol/inspector@2.12.0 @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0
)
programs=(node mcp-inspector)
if [ "$what" = clients ]; then
    packages+=(
        @anthropic-ai/claude-code@2.1.330 @openai/codex@0.169.0 @google/gemini-cli@0.61.0 opencode-ai@1.18.33
        @github/copilot@1.0.102
        # opencode fetches this one itself before it loads a plugin; where it runs here, it cannot.
        @opencode-ai/plugin@1.18.33
    )
    programs+=(claude codex gemini copilot opencode)
fi
python=mcp==2.3.0

# What is there may have been moved, or ended in the middle: a list alone proves nothing.
whole() {
    [ "$(cat installed 2>/dev/null)" = "${packages[*]} $python" ] || return 1
    for program in "${programs[@]}"; do [ -x "node_modules/.bin/$program" ] || return 1; done
    python/bin/python -c 'import mcp' 2>/dev/null
}

mkdir -p "$folder"
cd "$folder"
whole && exit 0
rm -f installed
# npm leaves a link alone that leads nowhere.
[ -d node_modules/.bin ] && find node_modules/.bin -xtype l -delete
[ -f package.json ] || echo '{"private":true}' > package.json
# Warnings are about Node 20 and scripts; what counts is what is there in the end.
npm install --no-audit --no-fund --loglevel error --fetch-retry-maxtimeout 10000 "${packages[@]}"
python/bin/python -c '' 2>/dev/null || { rm -rf python && python3 -m venv python; }
python/bin/pip install --quiet "$python"
echo "${packages[*]} $python" > installed
whole || { rm -f installed; echo "not everything could be installed into $folder: remove it, and try again"; exit 1; }
