# shellcheck shell=bash disable=SC2015
# `ipcd service` with a real user manager: from nothing to a socket unit, its status and its end.

check_service() {
    local said folder=~/.config/systemd/user program
    program=$(command -v ipcd)
    ipcd send later 'from before the service' >/dev/null || fail "send" || return 1
    said=$(ipcd service status) || fail "status: $said" || return 1
    grep -q 'systemd does not start ipcd' <<<"$said" || fail "status before: $said" || return 1
    said=$(ipcd service install --dry-run) || fail "dry run: $said" || return 1
    grep -q "would write $folder/ipcd.service" <<<"$said" && grep -q "    ExecStart=$program daemon" <<<"$said" &&
        grep -q 'would run systemctl --user enable ipcd.socket' <<<"$said" || fail "dry run: $said" || return 1
    ! [ -e "$folder/ipcd.service" ] || fail "a dry run wrote" || return 1
    saw "a dry run shows the units and the commands, and does nothing"

    said=$(ipcd install --client codex) || fail "ipcd install: $said" || return 1
    grep -q 'ipcd service install' <<<"$said" || fail "nothing is offered: $said" || return 1
    ipcd uninstall >/dev/null || fail "ipcd uninstall" || return 1
    said=$(ipcd service install 2>&1) || fail "install: $said" || return 1
    said=$(ipcd install --client codex) || fail "ipcd install: $said" || return 1
    ! grep -q 'ipcd service install' <<<"$said" || fail "offered again: $said" || return 1
    ipcd uninstall >/dev/null || fail "ipcd uninstall" || return 1
    saw "ipcd install offers the service until it is there"
    said=$(systemd-analyze verify --user --man=no "$folder"/ipcd.{socket,service} 2>&1) || fail "verify: $said" || return 1
    [ -z "$said" ] || fail "verify: $said" || return 1
    said=$(ipcd status --json) || fail "status" || return 1
    [ "$(field activated "$said")" = true ] || fail "not activated: $said" || return 1
    grep -q '"unclaimed":\[{"name":"later","unread":1' <<<"$said" || fail "mail: $said" || return 1
    [ "$(systemctl --user is-enabled ipcd.socket)" = enabled ] || fail "not enabled" || return 1
    said=$(ipcd service status --json)
    [ "$(field installed "$said") $(field listening "$said") $(field running "$said")" = 'true true true' ] &&
        [ "$(field program "$said")" = "\"$program\"" ] || fail "status: $said" || return 1
    saw "install: the socket unit is enabled and started, the daemon of before gave way, its mail is there"

    said=$(ipcd service install --json) || fail "again: $said" || return 1
    ! grep -q '"write"' <<<"$said" || fail "again, it wrote: $said" || return 1
    saw "a second install writes nothing"
    said=$(ipcd service logs --lines 5) || fail "logs: $said" || return 1
    grep -q 'ready' <<<"$said" || fail "logs: $said" || return 1
    saw "logs: $(tail -1 <<<"$said" | cut -c 1-60)"

    # What a broken program does to the units, and the way out that status names.
    cp "$program" ~/ipcd.kept && rm "$program" && printf '#!/bin/sh\nexit 1\n' >~/broken && chmod +x ~/broken && mv ~/broken "$program"
    systemctl --user stop ipcd.service 2>/dev/null
    for _ in $(seq 30); do ~/ipcd.kept --no-spawn status >/dev/null 2>&1 || true; done
    mv ~/ipcd.kept "$program"
    said=$(ipcd service status)
    grep -q 'systemctl --user reset-failed' <<<"$said" || fail "status of a failed unit: $said" || return 1
    eval "$(sed -n 's/.*bring it back: //p' <<<"$said")" || fail "the cure: $said" || return 1
    ipcd status >/dev/null || fail "after the cure" || return 1
    saw "a socket that was given up: status names the cure, and it works"

    printf '[Service]\nExecStart=/bin/true\n' >~/mine
    cp "$folder/ipcd.service" ~/theirs; cp ~/mine "$folder/ipcd.service"
    ! said=$(ipcd service install 2>&1) || fail "wrote over: $said" || return 1
    cmp -s ~/mine "$folder/ipcd.service" || fail "a unit of the user's was changed" || return 1
    cp ~/theirs "$folder/ipcd.service"
    saw "a unit that ipcd did not write stays: $(sed -n 's/^error: //p' <<<"$said" | cut -c 1-80)"

    said=$(ipcd service uninstall 2>&1) || fail "uninstall: $said" || return 1
    [ -z "$(ls "$folder")" ] || fail "left: $(ls -R "$folder")" || return 1
    [ "$(systemctl --user is-active ipcd.socket)" = inactive ] || fail "the socket unit is active" || return 1
    said=$(ipcd list --json && ipcd status --json) || fail "after the end: $said" || return 1
    [ "$(field activated "$said")" = false ] && grep -q '"name":"later","unread":1' <<<"$said" || fail "after the end: $said" || return 1
    saw "uninstall: no unit is left, the mail is, and the next command starts a daemon of its own"
}
