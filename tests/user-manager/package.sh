# shellcheck shell=bash disable=SC2015
# The Debian package: installed by dpkg, found by a login, removed. tests/user-manager.sh does the installing.

check_package() {
    local said
    [ "$(command -v ipcd)" = /usr/bin/ipcd ] || fail "ipcd is $(command -v ipcd)" || return 1
    [ "$(systemctl --user is-active ipcd.socket)" = active ] || fail "the login did not start ipcd.socket" || return 1
    said=$(systemd-analyze verify --user ipcd.socket ipcd.service 2>&1) || fail "verify: $said" || return 1
    said=$(ipcd status --json) || fail "the first status: $said" || return 1
    [ "$(field activated "$said") $(field program "$said")" = 'true "/usr/bin/ipcd"' ] || fail "status: $said" || return 1
    saw "dpkg -i, a login, the first \`ipcd status\`: answered through the socket unit by /usr/bin/ipcd"
    man -w ipcd-send >/dev/null || fail "no man page" || return 1
    [ -r /usr/share/bash-completion/completions/ipcd ] || fail "no completions" || return 1
    said=$(ipcd service install --json) || fail "service install: $said" || return 1
    ! grep -q '"write"' <<<"$said" || fail "the package's units were not used: $said" || return 1
    saw "man pages and completions are found; \`ipcd service install\` uses the package's units"
    ipcd send later 'outlives the package' >/dev/null || fail "send" || return 1
    systemctl --user disable ipcd.socket 2>/dev/null || true
}

check_package_gone() {
    local said
    ! command -v ipcd >/dev/null || fail "there is $(command -v ipcd)" || return 1
    ! systemctl --user cat ipcd.socket >/dev/null 2>&1 || fail "the unit is still there" || return 1
    said=$("$HOME/../kept/ipcd" status --json) || fail "status: $said" || return 1
    grep -q '"name":"later","unread":1' <<<"$said" || fail "the mail: $said" || return 1
    saw "the user's mail is there: $(cd && find .local .config -type f | tr '\n' ' ')"
}
