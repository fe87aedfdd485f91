#!/bin/bash
# Runs the units of packaging/systemd under a real `systemd --user`, and the program as its daemon.
#
#   tests/user-manager.sh [PATH-OF-THE-IPCD-BINARY [CHECK…]]      (default: target/debug/ipcd, all checks)
#
# The checks are the files of tests/user-manager/, each with a home and a user manager of its own. Long
# forms: IPCD_TEST_ACTIVATIONS=500 (activations), IPCD_TEST_DISTURBANCES=100 (load).
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
    check=$2
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
    install -d -o "$uid" -g "$uid" "$scratch/bin"
    if [ "$check" = package ]; then
        for tool in dpkg-deb dpkg-shlibdeps deb-systemd-helper; do
            command -v "$tool" >/dev/null || skip "there is no $tool"
        done
        mv "$("$project/packaging/debian/build.sh" "$binary" "$scratch")" "$scratch/ipcd.deb"
        # For after the removal.
        install -D -m 755 "$binary" "$scratch/kept/ipcd"
    else
        install -m 755 "$binary" "$scratch/bin/ipcd"
    fi
    install -d -m 700 -o "$uid" -g "$uid" "$scratch/home"
    install -d "$scratch/units" "$scratch/home/.config/systemd/user" "$scratch/home/.config/ipcd"
    chown -R "$uid:$uid" "$scratch/home/.config"
    install -m 644 "$project"/packaging/systemd/ipcd.{socket,service} "$scratch/units/"
    sed -i "s|/usr/bin/ipcd|$scratch/bin/ipcd|" "$scratch/units/ipcd.service"
    install -m 755 "$(realpath "$0")" "$scratch/user-manager.sh"
    install -D -m 644 -t "$scratch/user-manager" "$project"/tests/user-manager/*.sh
    unshare --mount --pid --fork --kill-child --mount-proc --cgroup -- true 2>/dev/null || skip "no namespaces can be made here"
    rc=0
    unshare --mount --pid --fork --kill-child --mount-proc --cgroup -- \
        "$scratch/user-manager.sh" --as-root "$scratch" "$uid" "$systemd" "$$" "$check" || rc=$?
    exit $rc
}

# Inside the namespaces: what a user manager expects of a booted machine.
as_root() {
    local scratch=$1 uid=$2 systemd=$3 cgroup=/sys/fs/cgroup/ipcd-user-manager-$4 check=$5 rc=0
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/systemd/{system,journal,unit-root,mount-rootfs,incoming,propagate} /run/lock "/run/user/$uid"
    chown "$uid:$uid" "/run/user/$uid"; chmod 700 "/run/user/$uid"
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || skip "no cgroup2 can be mounted here"
    mkdir -p "$cgroup"
    chown "$uid:$uid" "$cgroup" "$cgroup"/cgroup.{procs,subtree_control,threads}
    if [ "$check" = package ]; then
        with_package || rc=1
    else
        user_session "$check" || rc=$?
    fi
    # Whoever is left goes before the cgroup does.
    echo 1 >"$cgroup/cgroup.kill" 2>/dev/null || true
    for _ in $(seq 50); do find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break; sleep 0.05; done
    exit $rc
}

# A login of the user, and what a check does in it.
user_session() {
    (
        echo "$BASHPID" >"$cgroup/cgroup.procs"
        cd "$scratch/home"
        exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all \
            env -i HOME="$scratch/home" USER=ipcd-test LOGNAME=ipcd-test SHELL=/bin/bash LANG=C.UTF-8 TERM=dumb \
            PATH="$scratch/bin:/usr/local/bin:/usr/bin:/bin" XDG_RUNTIME_DIR="/run/user/$uid" \
            DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$uid/bus" \
            ${IPCD_TEST_ACTIVATIONS:+IPCD_TEST_ACTIVATIONS="$IPCD_TEST_ACTIVATIONS"} \
            ${IPCD_TEST_DISTURBANCES:+IPCD_TEST_DISTURBANCES="$IPCD_TEST_DISTURBANCES"} \
            "$scratch/user-manager.sh" --as-user "$systemd" "$scratch/units" "$1"
    )
}

# The package is installed on this very system, but for layers in memory over what it changes: they go with
# the namespace, and show what a removal left.
with_package() {
    local layers=$scratch/layers folder left
    mkdir "$layers" && mount -t tmpfs tmpfs "$layers"
    for folder in usr etc var; do
        mkdir -p "$layers/$folder" "$layers/work-$folder"
        mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$layers/$folder,workdir=$layers/work-$folder" "/$folder" ||
            skip "no layers can be put over /$folder here"
    done
    dpkg -i "$scratch/ipcd.deb" >"$scratch/dpkg.log" 2>&1 || { cat "$scratch/dpkg.log"; return 1; }
    user_session package || return 1
    # A newer one over it, which an upgrade is.
    dpkg -i "$scratch/ipcd.deb" >"$scratch/dpkg.log" 2>&1 || { cat "$scratch/dpkg.log"; return 1; }
    dpkg -r ipcd >"$scratch/dpkg.log" 2>&1 || { cat "$scratch/dpkg.log"; return 1; }
    [ -z "$(dpkg-query -W ipcd 2>/dev/null)" ] || { echo "FAILED: dpkg still knows it: $(dpkg-query -W ipcd)"; return 1; }
    # But for dpkg's own books and those of other packages' triggers.
    left=$(cd "$layers" && find usr etc var ! -type d ! -path 'var/lib/dpkg/*' ! -path 'var/log/*' ! -path 'var/cache/*')
    [ -z "$left" ] || { echo "FAILED: dpkg -r left: $left"; return 1; }
    saw "dpkg -r left nothing in /usr, /etc and /var"
    user_session package_gone
}

as_user() {
    units=$2
    . "$(dirname "$0")/user-manager/${3%_gone}.sh"
    # One that an earlier manager left would pass for ours.
    rm -f "$XDG_RUNTIME_DIR/systemd/private"
    "$1" --user >"$HOME/manager.log" 2>&1 &
    manager=$!
    for _ in $(seq 200); do [ -S "$XDG_RUNTIME_DIR/systemd/private" ] && break; sleep 0.05; done
    if ! [ -S "$XDG_RUNTIME_DIR/systemd/private" ]; then
        cat "$HOME/manager.log" >&2
        skip "the user manager does not start here"
    fi
    systemctl --user is-system-running --wait >/dev/null || true
    rc=0
    # Not below an `if` or a `||`, where bash would not stop at a failure.
    (set -e; "check_$3") & wait $! || rc=1
    systemctl --user exit 2>/dev/null || kill "$manager"
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
install_units() {
    cp "$units"/* ~/.config/systemd/user/
    systemctl --user daemon-reload
    systemctl --user start ipcd.socket || fail "the socket unit does not start"
}
configure() { # lines of config.toml
    printf '%s\n' "$@" >~/.config/ipcd/config.toml
    chmod 600 ~/.config/ipcd/config.toml
}

case ${1-} in
    --as-root) shift; as_root "$@" ;;
    --as-user) shift; as_user "$@" ;;
    *)
        echo "systemd $(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
        binary=${1:-$project/target/debug/ipcd}
        [ $# -lt 2 ] && set -- "$binary" units activations load service package
        rc=0
        for check in "${@:2}"; do
            echo "-- $check"
            (outside "$binary" "$check") || rc=$?
            [ "$rc" = 0 ] || break
        done
        exit $rc
        ;;
esac
