#!/bin/sh
# Our own code under ThreadSanitizer: the team of threads, threads on one model that run photos with a team each, the
# command's threads that decode ahead, steps of training. oneDNN runs on the thread that calls it, so every access to shared
# memory is seen.
# What LLVM's OpenMP, under oneDNN, does with locks of its own is not ours to judge.
set -e
[ -f build-tsan/build.ninja ] || CC=clang meson setup build-tsan -Dbuildtype=debugoptimized -Db_sanitize=thread \
    -Db_lundef=false -Ddefault_library=static >&2
meson compile -C build-tsan tests/test_pool tests/test_library tests/test_pipeline tests/test_learner >&2
for test in pool library pipeline learner; do
    TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1 "build-tsan/tests/test_$test"
done
