# shellcheck shell=bash disable=SC2015
# Sends go on while the daemon is stopped, started, killed and replaced by another file of the program.
# What was answered is in the mailbox once, and each sender's in order. Short by itself;
# IPCD_TEST_DISTURBANCES says how often the daemon is disturbed.

senders=4

check_load() {
    local wanted=${IPCD_TEST_DISTURBANCES:-12} done=0 me jobs=() binary began=$SECONDS
    binary=$(command -v ipcd)
    configure '[limits]' 'sends_per_minute = 0' 'mailbox_messages = 100000' 'sender_share_percent = 100' \
        '[daemon]' 'idle_exit_s = 0.1'
    install_units
    for ((me = 1; me <= senders; me++)); do
        send_with_commands "$me" & jobs+=($!)
    done
    send_with_a_front_end & jobs+=($!)
    until_true "mail flows" eval '[ -s ~/sent.1 ]' || return 1
    while ((done < wanted)); do
        disturb $((done % 6)) || fail "disturbance $((done % 6))" || return 1
        done=$((done + 1))
        pause "0.$((RANDOM % 400))"
    done
    touch ~/enough
    for me in "${jobs[@]}"; do wait "$me" || fail "a sender" || return 1; done
    cat ~/sent.* | sort >~/stored
    read_all || return 1
    judge "$done" "$((SECONDS - began))"
}

# The program is not written over, it is replaced, as every package manager does it.
disturb() {
    case $1 in
        0) systemctl --user stop ipcd.service 2>/dev/null ;;
        1) systemctl --user restart ipcd.service ;;
        2) ipcd stop >/dev/null ;;
        3) cp "$binary" "$HOME/new" && mv -f "$HOME/new" "$binary" && systemctl --user restart ipcd.service ;;
        4) systemctl --user stop ipcd.socket ipcd.service ;;
        5) systemctl --user kill -s KILL ipcd.service 2>/dev/null || true ;;
    esac
}

# A process a message, so each may be the one that starts the daemon.
send_with_commands() {
    local me=$1 number=0 said
    while ! [ -e ~/enough ]; do
        number=$((number + 1))
        if said=$(ipcd send reader "$me.$number" 2>&1); then
            echo "$me.$number" >>~/sent."$me"
        else
            echo "$me.$number: $said" >>~/failed
        fi
    done
}

# One agent with many calls in flight: its front end repeats what was not answered.
send_with_a_front_end() {
    local number=0 last answer to from
    coproc FRONT { exec ipcd mcp --name front; }
    to=${FRONT[1]} from=${FRONT[0]}
    printf '%s\n' '{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}' \
        '{"jsonrpc":"2.0","method":"notifications/initialized"}' >&"$to"
    read -r answer <&"$from"
    while ! [ -e ~/enough ]; do
        for ((last = number + 20; number < last; )); do
            number=$((number + 1))
            printf '{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"send","arguments":{"to_id":"reader","content":"f.%d"}}}\n' \
                "$number" "$number" >&"$to"
        done
        for _ in {1..20}; do
            read -rt 30 answer <&"$from" || { echo "f: no answer" >>~/failed; break 2; }
            case $answer in
                *'\"stored\":true'*) [[ $answer =~ \"id\":([0-9]+),\"result ]] && echo "f.${BASH_REMATCH[1]}" >>~/sent.f ;;
                *) echo "$answer" >>~/failed ;;
            esac
        done
    done
    eval "exec $to>&-"
    wait
}

pause() { read -rt "$1" <> <(:) || true; }

read_all() {
    local page
    ipcd register reader >/dev/null || fail "register" || return 1
    while page=$(ipcd check --limit 20 --json) || { fail "check: $page"; return 1; }; grep -q '"content"' <<<"$page"; do
        grep -o '"content":"[^"]*"' <<<"$page" | cut -d'"' -f4 >>~/read
    done
}

judge() {
    local lost repeated reordered failed=0 sender
    sort ~/read >~/read.sorted
    lost=$(comm -23 ~/stored <(uniq ~/read.sorted) | wc -l)
    repeated=$(uniq -d ~/read.sorted | wc -l)
    reordered=0
    for sender in $(cut -d. -f1 ~/read | sort -u); do
        grep "^$sender\." ~/read | cut -d. -f2 | sort -nc 2>/dev/null || reordered=$((reordered + 1))
    done
    [ -e ~/failed ] && failed=$(wc -l <~/failed)
    echo "  sends=$(wc -l <~/stored) disturbances=$1 failed=$failed lost=$lost repeated=$repeated" \
        "senders_out_of_order=$reordered seconds=$2"
    [ "$failed" = 0 ] || { sed 's/^/    /' ~/failed | head -5; fail "$failed sends were not answered well"; return 1; }
    [ "$lost $repeated $reordered" = '0 0 0' ] || fail "the mailbox is not what was sent" || return 1
    (($(wc -l <~/sent.f) > 0)) || fail "the front end sent nothing" || return 1
    saw "stopped, restarted, replaced and killed under load: each send is there once"
}
