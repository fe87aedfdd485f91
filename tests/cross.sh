#!/usr/bin/env bash
# Checks, lints, builds or tests ipcd for systems that are not this one, as far as Linux can.
#
#   tests/cross.sh install                          once, as root: Debian's packages, 1.7 GB, two thirds of it wine
#   tests/cross.sh zig                              once: what linking for macOS needs, from PyPI, into $ZIGENV
#   tests/cross.sh clippy aarch64-apple-darwin …    lints, with what follows as arguments of cargo
#   tests/cross.sh build  x86_64-pc-windows-gnu …
#   tests/cross.sh test   x86_64-pc-windows-gnu …   runs under wine
#   tests/cross.sh link   aarch64-apple-darwin …    a whole Mach-O program, which nothing here can run
#   tests/cross.sh lint                             clippy for all foreign targets
#
# There is no standard library to be had for the other systems, so it is built from source, by the
# compiler that Debian has together with that source: rustc-web. It leaves a rustup toolchain alone.
set -euo pipefail
cd "$(dirname "$0")/.."

foreign=(aarch64-apple-darwin x86_64-apple-darwin x86_64-pc-windows-gnu aarch64-unknown-linux-gnu)
packages=(rustc-web cargo-web rust-web-src rust-web-clippy gcc-mingw-w64-x86-64-posix)
zig=${ZIGENV:-target/zig}

usage() { sed -n '4,10s/^# \{0,3\}//p' "$0" >&2; exit 2; }
install() { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; }

verb=${1-}
case $verb in
install) install "${packages[@]}" wine64; exit ;;
# Without wine: linting needs no more.
install-lint) install "${packages[@]}"; exit ;;
zig) python3 -m venv "$zig" && "$zig/bin/pip" -q install ziglang cargo-zigbuild; exit ;;
lint) for target in "${foreign[@]}"; do "$0" clippy "$target" --locked --lib --bins --tests -- -D warnings; done; exit ;;
# For machines that need not have anything: installs what is missing, or says that nothing was checked.
clippy-if-able)
    if [ ! -x /usr/bin/cargo-clippy ] || [ ! -d /usr/lib/rustlib/src/rust/library ]; then
        "$0" install-lint >/dev/null 2>&1 || { echo "SKIPPED: lints for ${2-other systems}: Debian's rustc-web cannot be installed here"; exit 77; }
    fi
    shift
    exec "$0" clippy "$@"
    ;;
check | clippy | build | test | link) [ $# -ge 2 ] || usage ;;
*) usage ;;
esac
target=$2
shift 2

[ -x /usr/bin/rustc ] || { echo "cross.sh: Debian's compiler is missing: tests/cross.sh install" >&2; exit 77; }

export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/cross" CARGO=/usr/bin/cargo
unset RUSTUP_TOOLCHAIN RUSTC
PATH=/usr/bin:/bin
std=std,panic_abort
run=(cargo "$verb")
case $verb in
# `cargo clippy` would find the one of rustup.
clippy) run=(/usr/bin/cargo-clippy clippy) ;;
link) PATH=$(realpath "$zig/bin"):$PATH run=(cargo zigbuild) ;;
test)
    std=$std,test
    # wine 8 lacks the library that the standard library takes its randomness from: one of our own.
    shim=$CARGO_TARGET_DIR/wine
    mkdir -p "$shim"
    shim=$(realpath "$shim")
    if [ ! -e "$shim/bcryptprimitives.dll" ]; then
        printf '%s\n' '#include <windows.h>' 'BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG count);' \
            '__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) { return SystemFunction036(bytes, (ULONG)count); }' >"$shim/random.c"
        x86_64-w64-mingw32-gcc -shared -O2 -o "$shim/bcryptprimitives.dll" "$shim/random.c" -ladvapi32
    fi
    export WINEPREFIX="${WINEPREFIX:-$shim/prefix}" WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" WINEPATH="Z:${shim//\//\\}"
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=/usr/lib/wine/wine64
    ;;
esac
exec "${run[@]}" -Zbuild-std="$std" --target "$target" "$@"
