# shellcheck shell=bash disable=SC2015
# What the units do, step by step: a daemon that gives way, readiness, the sandbox, idle exits, kills.

check_units() {
    local status pid sock=$XDG_RUNTIME_DIR/ipcd/ipcd.sock said
    ipcd send later 'from before there was a unit' >/dev/null || fail "a send without the unit" || return 1
    pid=$(field pid "$(ipcd status --json)")
    [ "$(field activated "$(ipcd status --json)")" = false ] || fail "who started pid $pid" || return 1
    saw "without the units, the first command started a daemon of its own: pid $pid"

    cp "$units"/* ~/.config/systemd/user/
    said=$(systemd-analyze verify --user --man=no ~/.config/systemd/user/ipcd.{socket,service} 2>&1) || fail "the units: $said" || return 1
    [ -z "$said" ] || fail "the units: $said" || return 1
    saw "systemd-analyze has nothing to say about the units"
    # It rates a service of root, and guards against a step back.
    said=$(systemd-analyze security --user --offline=yes --no-pager --threshold=65 ~/.config/systemd/user/ipcd.service) ||
        fail "exposure over 6.5: $(tail -1 <<<"$said")" || return 1
    saw "systemd-analyze security: $(sed -n 's/.*: \([0-9.]* [A-Z]*\).*/\1/p' <<<"$said" | tail -1), at most 6.5"
    systemctl --user daemon-reload
    systemctl --user start ipcd.socket || fail "the socket unit does not start" || return 1
    [ "$(stat -c %a "$sock") $(stat -c %a "$(dirname "$sock")")" = '600 700' ] || fail "modes of $sock" || return 1
    status=$(ipcd status --json) || fail "status: $status" || return 1
    [ "$(field activated "$status")" = true ] || fail "not activated: $status" || return 1
    until_true "the daemon of the client gives way" eval "! kill -0 $pid 2>/dev/null" || return 1
    [ "$(pgrep -u "$(id -u)" -fc 'ipcd daemon')" = 1 ] || fail "more than one daemon" || return 1
    saw "the socket unit took the path: an activated daemon answers, pid $pid is gone"
    service_is active || fail "the service does not know that it is ready" || return 1
    saw "Type=notify: the service is active, StatusErrno=$(systemctl --user show -P StatusErrno ipcd.service)"

    # What the hardening of the unit must not take: who sends is told by /proc.
    ipcd send user 'hello' >/dev/null || fail "send" || return 1
    said=$(ipcd check --json) || fail "check: $said" || return 1
    grep -q '"content":"hello"' <<<"$said" || fail "check: $said" || return 1
    grep -q '"verified":"full"' <<<"$said" && grep -q "\"exe\":\"[^\"]*/ipcd\"" <<<"$said" || fail "the sender's facts: $said" || return 1
    status=$(ipcd status --json)
    [ "$(field unread "$(grep -o '"unclaimed":\[[^]]*' <<<"$status")")" = 1 ] || fail "the mail of before: $status" || return 1
    saw "send and check work in the sandbox, mail of before is there, the sender's program and pid are known"

    printf '[daemon]\nidle_exit_s = 0.3\n' >~/.config/ipcd/config.toml; chmod 600 ~/.config/ipcd/config.toml
    ipcd stop >/dev/null || fail "stop" || return 1
    until_true "the stopped service is inactive" inactive || return 1
    [ -S "$sock" ] || fail "the socket went with the daemon" || return 1
    saw "ipcd stop: no daemon runs, the socket stays"
    for round in 1 2 3; do
        status=$(ipcd status --json) || fail "round $round: $status" || return 1
        [ "$(field activated "$status")" = true ] || fail "round $round: $status" || return 1
        until_true "idle exit" inactive || return 1
    done
    saw "idle exit and activation, three rounds: neither daemon ran in between"

    kill -KILL "$(field pid "$(ipcd status --json)")" || fail "there is no daemon to kill" || return 1
    ipcd send later 'after kill -9' >/dev/null || fail "send after kill -9" || return 1
    for i in $(seq 20); do ipcd send later "at once $i" >"$HOME/out.$i" 2>&1 & done
    for job in $(jobs -p); do [ "$job" = "$manager" ] || wait "$job" || fail "one of twenty sends at once" || return 1; done
    status=$(ipcd status --json)
    [ "$(field unread "$(grep -o '"unclaimed":\[[^]]*' <<<"$status")")" = 22 ] || fail "stored: $status" || return 1
    saw "after kill -9, and twenty sends at once: all of them are stored"

    systemctl --user stop ipcd.socket ipcd.service
    until_true "both are stopped" inactive || return 1
    status=$(ipcd list --json) || fail "a stopped socket unit: $status" || return 1
    [ "$(systemctl --user is-active ipcd.socket)" = active ] || fail "the client did not start the unit" || return 1
    [ "$(field activated "$(ipcd status --json)")" = true ] || fail "who serves?" || return 1
    saw "a stopped socket unit: the next command that needs a daemon starts the unit first"
    [ "$(systemctl --user show -P Result ipcd.socket) $(systemctl --user show -P Result ipcd.service)" = 'success success' ] ||
        fail "results of the units" || return 1
    saw "both units ended well"
}
