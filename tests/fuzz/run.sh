#!/bin/sh
# Runs every fuzz target from the seeds that seeds.py makes, as many at once as there are CPUs; SECONDS_EACH (default 10)
# lengthens the runs. Prints TAP.
#
#     tests/fuzz/run.sh BUILD [TARGET...]
#
# What a target finds is left in $TMPDIR with its name. Make it a file of tests/refused once it is mended.
build=$1
shift
[ $# -gt 0 ] || set -- image table bundle caffe safetensors state pack labels ranges known label_file list archive answers \
    append dataset
seconds=${SECONDS_EACH:-10}
work=$(mktemp -d)
python3 tests/fuzz/seeds.py "$work" || exit 1
printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' sh -c '"$0/tests/fuzz_{}" -max_total_time="$1" -rss_limit_mb=2048 \
    -malloc_limit_mb=1024 -timeout=20 -max_len=65536 -artifact_prefix="$2/{}-" "$2/{}" >"$2/{}.log" 2>&1; echo $? >"$2/{}.code"' \
    "$build" "$seconds" "$work"
count=0 failed=0
for target; do
    count=$((count + 1))
    if [ "$(cat "$work/$target.code")" = 0 ]; then
        echo "ok $count - fuzz $target: $(sed -n 's/^Done \([0-9]* runs\).*/\1/p' "$work/$target.log")"
    else
        failed=$((failed + 1))
        echo "not ok $count - fuzz $target"
        tail -30 "$work/$target.log" | sed 's/^/# /'
    fi
done
echo "1..$count"
[ "$failed" = 0 ] && rm -r "$work"
