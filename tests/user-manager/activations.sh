# shellcheck shell=bash disable=SC2015
# Many activations with idle exits between them: every call is answered, also those that come just as the
# daemon leaves. Short by itself; IPCD_TEST_ACTIVATIONS says how many.

check_activations() {
    local wanted=${IPCD_TEST_ACTIVATIONS:-40} activations=0 calls=0 failed=0 last=0 status pid begin end times=()
    local sorted began=$SECONDS
    configure '[daemon]' 'idle_exit_s = 0.1'
    install_units
    while ((activations < wanted && calls < wanted * 4)); do
        begin=$EPOCHREALTIME
        status=$(ipcd status --json 2>&1) || { failed=$((failed + 1)); echo "    failed: $status"; }
        end=$EPOCHREALTIME
        calls=$((calls + 1))
        pid=$(field pid "$status")
        if [ -n "$pid" ] && [ "$pid" != "$last" ]; then
            activations=$((activations + 1))
            times+=($((${end/[.,]/} - ${begin/[.,]/})))
            last=$pid
        fi
        # Two calls of three find nobody; one comes at about the moment when the daemon leaves.
        if ((calls % 3 == 0)); then
            pause "0.$((95 + RANDOM % 15))"
        else
            until_true "the idle daemon ends" eval "! kill -0 $pid 2>/dev/null" || return 1
        fi
    done
    sorted=$(printf '%s\n' "${times[@]}" | sort -n)
    echo "  activations=$activations calls=$calls failed=$failed" \
        "first_answer_p50_us=$(nth "$sorted" 50) p99_us=$(nth "$sorted" 99) seconds=$((SECONDS - began))"
    ((activations >= wanted)) || fail "only $activations activations in $calls calls" || return 1
    ((failed == 0)) || fail "$failed calls failed" || return 1
    [ "$(systemctl --user show -P Result ipcd.socket) $(systemctl --user show -P Result ipcd.service)" = 'success success' ] ||
        fail "results of the units" || return 1
    saw "each activation was answered, and so was each call at the moment of an exit"
}

# Without a process, which would take longer than the pause.
pause() { read -rt "$1" <> <(:) || true; }

nth() { # sorted lines, percent
    local lines
    mapfile -t lines <<<"$1"
    echo "${lines[${#lines[@]} * $2 / 100]}"
}
