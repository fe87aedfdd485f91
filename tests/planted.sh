#!/bin/sh
# Shows that the tests see: each planted bug (src/planted.rs) must turn its test red, and without a bug
# the same tests are green. Builds once.
#
#   tests/planted.sh             all of them
#   tests/planted.sh --clean P   whether the program P holds no trace of them (for a release build)
#
# The last line is the figure: caught=9/9. Ends with 1 when a bug went unseen.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" = --clean ]; then
    traces=$(grep -c -a -e IPCD_PRETEND -e IPCD_PLANTED_BUG -e numbers-from-the-clock "$2" || true)
    echo "traces=$traces in $2"
    [ "$traces" -eq 0 ]
    exit
fi

crashes=daemon::tests::crashes::what_was_acknowledged_survives_every_crash
planted="
early-ack $crashes
no-sync $crashes
delete-at-read $crashes
no-deduplication $crashes
numbers-from-the-clock $crashes
no-uid-check transport::tests::one_user_is_admitted_and_others_are_told_why_not
judged-by-name share::tests::a_swapped_link_leaks_nothing
paths-as-text share::tests::the_mode_decides_where_files_come_from
waiter-leak broker::tests::model::nothing_is_lost_repeated_or_out_of_order
"

program=$(cargo test --features planted-bugs --lib --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p')
[ -x "$program" ] || { echo "no test program was built" >&2; exit 2; }

for test in $(echo "$planted" | awk 'NF { print $2 }' | sort -u); do
    if ! "$program" --exact "$test" >/dev/null 2>&1; then
        echo "red without a bug: $test"
        exit 1
    fi
    echo "green without a bug: $test"
done

caught=0 bugs=0
while read -r bug test; do
    [ -n "$bug" ] || continue
    bugs=$((bugs + 1))
    if said=$(IPCD_PLANTED_BUG=$bug "$program" --exact "$test" 2>&1); then
        echo "unseen: $bug"
    elif echo "$said" | grep -q "$test .*FAILED"; then
        caught=$((caught + 1))
        echo "caught: $bug: $(echo "$said" | grep -A 2 'panicked at' | sed -n 2p | cut -c 1-100)"
    else
        echo "the tests did not run with $bug:"
        echo "$said" | tail -3
    fi
done <<EOF
$planted
EOF
echo "caught=$caught/$bugs"
[ "$caught" -eq "$bugs" ]
