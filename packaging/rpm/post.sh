# shellcheck shell=sh
# After the installation. Users enable it for themselves (`ipcd service install`), or the presets of the
# distribution do.
if [ "$1" -eq 1 ] && command -v systemctl >/dev/null; then
    systemctl --no-reload --global preset ipcd.socket >/dev/null 2>&1 || :
fi
