#!/bin/bash
# Runs the units of packaging/systemd under a real `systemd --user`, and the program as its daemon.
#
#   tests/user-manager.sh [PATH-OF-THE-IPCD-BINARY]      (default: target/debug/ipcd)
#
# It needs root and systemd, and no running systemd: a user manager of its own is started in private
# mount, PID and cgroup namespaces, so that nothing of this machine is touched and nothing outlives it.
# The user is IPCD_TEST_UID (default 12345), who need not exist. Prints what it saw; exit code 0: all
# well, 1: not, 77: it cannot be tried here.
set -euo pipefail

project=$(realpath "$(dirname "$0")/..")
uid=${IPCD_TEST_UID:-12345}

skip() { echo "skipped: $*" >&2; exit 77; }

outside() {
    local binary systemd tool
    binary=$(realpath "${1:-$project/target/debug/ipcd}") && [ -x "$binary" ] || skip "build the program first: cargo build"
    [ "$(id -u)" = 0 ] || skip "only root can make the namespaces"
    systemd=$(PATH=$PATH:/lib/systemd:/usr/lib/systemd command -v systemd) || skip "there is no systemd"
    for tool in unshare setpriv systemctl dbus-daemon systemd-analyze; do
        command -v "$tool" >/dev/null || skip "there is no $tool"
    done
    scratch=$(mktemp -d /tmp/ipcd-um.XXXXXX)
    trap 'rm -rf "$scratch"' EXIT
    chmod 755 "$scratch"
    # What the user must be able to read, wherever the project lies.
    install -D -m 755 "$binary" "$scratch/bin/ipcd"
    install -d -m 700 -o "$uid" -g "$uid" "$scratch/home"
    install -d "$scratch/units" "$scratch/home/.config/systemd/user" "$scratch/home/.config/ipcd"
    chown -R "$uid:$uid" "$scratch/home/.config"
    install -m 644 "$project"/packaging/systemd/ipcd.{socket,service} "$scratch/units/"
    sed -i "s|/usr/bin/ipcd|$scratch/bin/ipcd|" "$scratch/units/ipcd.service"
    install -m 755 "$(realpath "$0")" "$scratch/user-manager.sh"
    unshare --mount --pid --fork --kill-child --mount-proc --cgroup -- true 2>/dev/null || skip "no namespaces can be made here"
    rc=0
    unshare --mount --pid --fork --kill-child --mount-proc --cgroup -- \
        "$scratch/user-manager.sh" --as-root "$scratch" "$uid" "$systemd" "$$" || rc=$?
    exit $rc
}

# Inside the namespaces: what a user manager expects of a booted machine.
as_root() {
    local scratch=$1 uid=$2 systemd=$3 cgroup=/sys/fs/cgroup/ipcd-user-manager-$4 rc=0
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/systemd/{system,journal,unit-root,mount-rootfs,incoming,propagate} /run/lock "/run/user/$uid"
    chown "$uid:$uid" "/run/user/$uid"; chmod 700 "/run/user/$uid"
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || skip "no cgroup2 can be mounted here"
    mkdir -p "$cgroup"
    chown "$uid:$uid" "$cgroup" "$cgroup"/cgroup.{procs,subtree_control,threads}
    (
        echo "$BASHPID" >"$cgroup/cgroup.procs"
        cd "$scratch/home"
        exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all \
            env -i HOME="$scratch/home" USER=ipcd-test LOGNAME=ipcd-test SHELL=/bin/bash LANG=C.UTF-8 TERM=dumb \
            PATH="$scratch/bin:/usr/local/bin:/usr/bin:/bin" XDG_RUNTIME_DIR="/run/user/$uid" \
            DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$uid/bus" \
            "$scratch/user-manager.sh" --as-user "$systemd" "$scratch/units"
    ) || rc=$?
    # Whoever is left goes before the cgroup does.
    echo 1 >"$cgroup/cgroup.kill" 2>/dev/null || true
    for _ in $(seq 50); do find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break; sleep 0.05; done
    exit $rc
}

as_user() {
    units=$2
    "$1" --user >"$HOME/manager.log" 2>&1 &
    manager=$!
    for _ in $(seq 200); do [ -S "$XDG_RUNTIME_DIR/systemd/private" ] && break; sleep 0.05; done
    if ! [ -S "$XDG_RUNTIME_DIR/systemd/private" ]; then
        cat "$HOME/manager.log" >&2
        skip "the user manager does not start here"
    fi
    systemctl --user is-system-running --wait >/dev/null || true
    rc=0
    checks || rc=1
    systemctl --user exit 2>/dev/null || true
    wait $manager || true
    exit $rc
}

fail() {
    echo "FAILED: $*"
    systemctl --user status --no-pager ipcd.socket ipcd.service 2>&1 | sed 's/^/    /' || true
    cat "$HOME/.local/state/ipcd/daemon.log" 2>/dev/null | sed 's/^/    log: /' || true
    return 1
}
saw() { echo "  ok: $*"; }
until_true() { # what, command...
    local what=$1 i; shift
    for ((i = 0; i < 400; i++)); do "$@" && return 0; sleep 0.05; done
    fail "waited in vain: $what"
}
service_is() { [ "$(systemctl --user show -P ActiveState ipcd.service)" = "$1" ]; }
field() { sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p" <<<"$2"; }
inactive() { service_is inactive && ! pgrep -u "$(id -u)" -f 'ipcd daemon' >/dev/null; }

checks() {
    set -e
    echo "systemd $(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p'), $(ipcd --version), user $(id -u)"
    local status pid sock=$XDG_RUNTIME_DIR/ipcd/ipcd.sock said
    ipcd send later 'from before there was a unit' >/dev/null || fail "a send without the unit" || return 1
    pid=$(field pid "$(ipcd status --json)")
    [ "$(field activated "$(ipcd status --json)")" = false ] || fail "who started pid $pid" || return 1
    saw "without the units, the first command started a daemon of its own: pid $pid"

    cp "$units"/* ~/.config/systemd/user/
    said=$(systemd-analyze verify --user --man=no ~/.config/systemd/user/ipcd.{socket,service} 2>&1) || fail "the units: $said" || return 1
    [ -z "$said" ] || fail "the units: $said" || return 1
    saw "systemd-analyze has nothing to say about the units"
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

case ${1-} in
    --as-root) shift; as_root "$@" ;;
    --as-user) shift; as_user "$@" ;;
    *) outside "$@" ;;
esac
