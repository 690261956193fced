#!/bin/sh
# Short runs of every fuzz target over the refused files and what the target itself makes of them; SECONDS_EACH (default
# 10) lengthens them. Prints TAP. Long runs: build-asan/tests/fuzz_image -max_total_time=600 CORPUS
build=$1
seconds=${SECONDS_EACH:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0 failed=0
for target in image table bundle caffe safetensors state; do
    count=$((count + 1))
    seeds=tests/refused/checkpoint
    [ "$target" != image ] || seeds=tests/refused/image
    mkdir -p "$work/$target"
    if "$build/tests/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -verbosity=0 \
        -artifact_prefix="$work/" "$work/$target" $seeds >"$work/log" 2>&1; then
        echo "ok $count - fuzz $target"
    else
        failed=$((failed + 1))
        echo "not ok $count - fuzz $target"
        tail -30 "$work/log" | sed 's/^/# /'
    fi
done
echo "1..$count"
[ "$failed" = 0 ]
