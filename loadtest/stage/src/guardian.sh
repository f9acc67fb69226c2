# Outlives the owner of a stage: waits for the end of its standard input, which comes when the owner has gone in whatever
# way, then kills every process that carries the stage's mark in its environment, and removes the stage's directory.
# Started by guardian.rs with the directory as its only argument.
dir=$1
trap '' HUP INT QUIT TERM
while read -r _; do :; done

# The mark, not a list of pids, decides: a list has a gap between a start and its entry, and pids are used again.
marked() {
    grep -lzxF "DOORBUSTER_STAGE=$dir" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

rounds_left=100
pids=$(marked)
while [ -n "$pids" ] && [ "$rounds_left" -gt 0 ]; do
    kill -KILL $pids 2>/dev/null
    sleep 0.05
    rounds_left=$((rounds_left - 1))
    pids=$(marked)
done
rm -rf -- "$dir"
