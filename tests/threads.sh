#!/bin/sh
# Our own code under ThreadSanitizer, threads on one model and the command's threads that decode ahead among it. oneDNN's
# OpenMP is not instrumented, so the model runs each photo on one thread: then every access to shared memory is seen.
# What LLVM's OpenMP does with locks of its own is not ours to judge.
set -e
[ -f build-tsan/build.ninja ] || CC=clang meson setup build-tsan -Dbuildtype=debugoptimized -Db_sanitize=thread \
    -Db_lundef=false -Ddefault_library=static >/dev/null
meson compile -C build-tsan tests/test_library tests/test_pipeline >/dev/null
TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1 OMP_NUM_THREADS=1 build-tsan/tests/test_library
TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1 build-tsan/tests/test_pipeline
