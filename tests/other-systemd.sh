#!/bin/bash
# Runs tests/user-manager.sh with the systemd of another Debian, in a tree of that release.
#
#   tests/other-systemd.sh SUITE PATH-OF-THE-IPCD-BINARY [CHECK…]      (trixie: systemd 257)
#
# It needs root and mmdebstrap, and makes the tree once, 300 MB, in $TREE (default: target/SUITE). The tree is
# entered by pivot_root and not by chroot, below which no user namespaces can be made. The binary must run with
# the C library there. Checks: all but `package`, which installs on a whole system. Exit codes are those of
# tests/user-manager.sh.
set -euo pipefail

project=$(realpath "$(dirname "$0")/..")
[ $# -ge 2 ] || { sed -n '4,9s/^# \{0,3\}//p' "$0" >&2; exit 2; }
suite=$1 binary=$(realpath "$2")
shift 2
[ $# -gt 0 ] || set -- units activations load service
tree=$(realpath -m "${TREE:-$project/target/$suite}")

skip() { echo "skipped: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "only root can enter another tree"
if ! [ -x "$tree/usr/bin/systemctl" ]; then
    command -v mmdebstrap >/dev/null || skip "there is no mmdebstrap"
    mmdebstrap --quiet --variant=minbase --include=systemd,dbus,dbus-user-session,procps "$suite" "$tree" >&2 ||
        skip "no tree of $suite can be made here"
fi

# In a namespace of its own, so that nothing stays mounted.
# shellcheck disable=SC2016
exec unshare --mount --pid --fork --kill-child bash -euc '
    tree=$1 project=$2 binary=$3
    shift 3
    mount --make-rprivate /
    mount --bind "$tree" "$tree"
    cd "$tree"
    mkdir -p old ipcd
    mount --rbind /dev dev
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs tmpfs tmp
    mount -t tmpfs tmpfs ipcd
    cp -r "$project/packaging" ipcd/
    mkdir ipcd/tests
    cp -r "$project"/tests/user-manager{,.sh} ipcd/tests/
    cp "$binary" ipcd/ipcd
    pivot_root . old
    cd /
    umount -l /old
    exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        ${IPCD_TEST_ACTIVATIONS:+IPCD_TEST_ACTIVATIONS="$IPCD_TEST_ACTIVATIONS"} \
        ${IPCD_TEST_DISTURBANCES:+IPCD_TEST_DISTURBANCES="$IPCD_TEST_DISTURBANCES"} \
        /ipcd/tests/user-manager.sh /ipcd/ipcd "$@"
' - "$tree" "$project" "$binary" "$@"
