#!/usr/bin/env bash
# Puts the clients into the folder $1, outside of the project. Versions are fixed: results are of these.
set -euo pipefail
folder=$1
packages=(
    node@24
    @anthropic-ai/claude-code@2.1.330 @openai/codex@0.169.0 @google/gemini-cli@0.61.0 opencode-ai@1.18.33
    @github/copilot@1.0.102 @modelcontextprotocol/inspector@2.12.0 @modelcontextprotocol/sdk@1.32.2
    @modelcontextprotocol/client@2.4.0
)
mkdir -p "$folder"
[ "$(cat "$folder/installed" 2>/dev/null)" = "${packages[*]}" ] && exit 0
cd "$folder"
[ -f package.json ] || echo '{"private":true}' > package.json
npm install --no-audit --no-fund --allow-scripts "${packages[@]}" 2>/dev/null || npm install --no-audit --no-fund "${packages[@]}"
python3 -m venv python && python/bin/pip install --quiet mcp==2.3.0
echo "${packages[*]}" > installed
