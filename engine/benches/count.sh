#!/bin/sh
# Instructions of each pure part of the purchase path, by callgrind, beside those of `counts.txt`. Unlike times they are the
# same on a busy machine. Fails where a part takes 5 % more. `count.sh --write` makes the present ones those to hold.
# They depend on the compiler: after another one, look at all of them and write them anew.
set -eu
cd "$(dirname "$0")"
known=counts.txt

if ! command -v valgrind >/dev/null; then
    echo "count.sh: valgrind is not installed; instructions are not counted"
    exit 0
fi
program=$(cargo bench --workspace --bench counts --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*counts-[^"]*\)".*/\1/p' | tail -n 1)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What one doing takes: the difference between 200 and 100 of them, so that starting does not count.
count() {
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out" "$program" "$1" "$2" 2>"$scratch/err" >/dev/null
    sed -n 's/^summary: //p; s/^totals: //p' "$scratch/out" | tail -n 1
}

failed=0
: >"$scratch/new"
for part in $("$program"); do
    each=$((($(count "$part" 200) - $(count "$part" 100)) / 100))
    echo "$part $each" >>"$scratch/new"
    held=$(sed -n "s/^$part //p" "$known" 2>/dev/null || true)
    if [ -z "$held" ]; then
        echo "$part: $each instructions"
    elif [ $((each * 100)) -gt $((held * 105)) ]; then
        echo "$part: $each instructions, more than the $held to hold"
        failed=1
    else
        echo "$part: $each instructions, $held to hold"
    fi
done
if [ "${1:-}" = --write ]; then
    cp "$scratch/new" "$known"
    exit 0
fi
exit $failed
