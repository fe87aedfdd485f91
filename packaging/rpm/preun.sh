# shellcheck shell=sh
# Before the removal, and not before an upgrade.
if [ "$1" -eq 0 ] && command -v systemctl >/dev/null; then
    systemctl --no-reload --global disable ipcd.socket >/dev/null 2>&1 || :
fi
