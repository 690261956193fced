#!/bin/sh
# Runs every test and ends with a line "N passed, N failed, N skipped". Installs what it needs: Debian packages, and
# virtual environments with pinned oracles outside the tree. Every part prints TAP; one that makes other checks than it planned, or none, has
# failed.
cd "$(dirname "$0")/.." || exit 1
sh tools/install.sh tests || exit 1
cache=${XDG_CACHE_HOME:-$HOME/.cache}
oracles=${INCEPTION_ORACLES:-$cache/inception-oracles}
INCEPTION_TEST_DATA=$(realpath -m "${INCEPTION_TEST_DATA:-../shared}")
export INCEPTION_TEST_DATA CMOCKA_MESSAGE_OUTPUT=TAP
export INCEPTION_REFUSED="$PWD/tests/refused" ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 LSAN_OPTIONS="suppressions='$PWD/tests/leaks.txt':print_suppressions=0"
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' # a checkout may belong to another user
logs=$(mktemp -d)
export PIP_CACHE_DIR="${PIP_CACHE_DIR:-$cache/pip}" XDG_CACHE_HOME="$logs/cache" # packs of the tests' models push out nobody's
passed=0 failed=0 skipped=0

# part NAME COMMAND...: runs it and counts its lines.
part() {
    name=$1 began=$(date +%s)
    shift
    "$@" >"$logs/out" 2>"$logs/err" </dev/null
    code=$?
    grep -E '^(not )?ok .*# SKIP' "$logs/out" >"$logs/skipped" # cmocka writes "not ok" in front of what it skips
    skips=$(wc -l <"$logs/skipped")
    good=$(grep '^ok ' "$logs/out" | grep -vc '# SKIP')
    bad=$(grep '^not ok ' "$logs/out" | grep -vc '# SKIP')
    planned=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$logs/out" | awk '{ sum += $1 } END { print sum + 0 }')
    made=$((good + bad + skips))
    if [ "$bad" = 0 ] && { [ "$code" != 0 ] || [ "$made" = 0 ] || [ "$made" != "$planned" ]; }; then bad=1; fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skips))
    echo "$name: $good passed, $bad failed, $skips skipped, $(($(date +%s) - began)) s"
    sed -E 's/^(not )?ok [0-9]* (- )?/  skipped: /' "$logs/skipped"
    [ "$bad" = 0 ] || { grep -v '^ok ' "$logs/out" | head -40; head -40 "$logs/err"; }
}

build() { # FOLDER, environment and meson options ...
    folder=$1
    shift
    [ -f "$folder/build.ninja" ] || env "$@" >"$logs/build" 2>&1 || { cat "$logs/build"; return 1; }
    meson configure "$folder" -Dtests=true >"$logs/build" 2>&1 || { cat "$logs/build"; return 1; } # tools/try.sh has none
    meson compile -C "$folder" >"$logs/build" 2>&1 || { cat "$logs/build"; return 1; }
    if grep -q 'warning:' "$logs/build"; then
        grep -A3 'warning:' "$logs/build"
        echo 'not ok 1 - no warnings'
    else
        echo 'ok 1 - no warnings'
    fi
    echo 1..1
}

# golden FOLDER PACKAGES CHECKS: runs the checks in a virtual environment that has the packages.
golden() {
    if [ "$(cat "$1/installed" 2>/dev/null)" != "$2" ]; then
        python3 -m venv "$1" && "$1/bin/python" -m pip install -q $2 >"$logs/pip" 2>&1 && echo "$2" >"$1/installed" ||
            tail -3 "$logs/pip"
    fi
    for check in $3; do
        if [ "$(cat "$1/installed" 2>/dev/null)" = "$2" ]; then
            part "against the oracles: $check" "$1/bin/python" "tests/golden/check_$check.py" build
        else
            part "$check" printf 'ok 1 - %s # SKIP the oracles could not be installed\n1..1\n' "$check"
        fi
    done
}

units='graph int8 kernels pool packs engine model image prepare checkpoint weights_files library labels layers cut draw terminal
append pipeline onnx events training bfloat16 learner head split distort course'

part 'build with gcc' build build meson setup build -Dtests=false # as tools/try.sh does
part 'build with clang and the sanitizers' build build-asan CC=clang meson setup build-asan -Dfuzz=true \
    -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false -Ddefault_library=static
part 'lint' sh tools/lint.sh build
for unit in $units; do part "unit $unit" "build/tests/test_$unit"; done
# The sanitized ones take minutes, so as many at once as there are CPUs; then they are counted one by one.
printf '%s\n' $units | xargs -P "$(nproc)" -I '{}' sh -c \
    'build-asan/tests/test_{} >"$0/{}.out" 2>"$0/{}.err" </dev/null; echo $? >"$0/{}.code"' "$logs"
for unit in $units; do
    part "unit $unit, sanitized" sh -c 'cat "$0.out"; cat "$0.err" >&2; exit "$(cat "$0.code")"' "$logs/$unit"
done
part 'unit engine on AVX2' env ONEDNN_MAX_CPU_ISA=AVX2 build/tests/test_engine
part 'unit head on AVX2' env ONEDNN_MAX_CPU_ISA=AVX2 build/tests/test_head
part 'unit training on AVX2' env ONEDNN_MAX_CPU_ISA=AVX2 build/tests/test_training
part 'every allocation fails once' build-asan/tests/alloc_fail
part 'threads share a model, under ThreadSanitizer' sh tests/threads.sh
part 'install, header, example' sh tests/install.sh
part 'Debian packages' sh tests/package.sh
part 'release tarball' sh tests/release.sh
part 'fuzz targets' sh tests/fuzz/run.sh build-asan

part 'command' python3 tests/cli/test_cli.py build
part 'manual pages and completion' python3 tests/cli/test_manual.py build
part 'whole folders' python3 tests/cli/test_folders.py build
part 'fetch and URLs, sanitized' python3 tests/cli/test_fetch.py build-asan
part 'command on a terminal, sanitized' python3 tests/cli/test_terminal.py build-asan
part 'command, features' python3 tests/cli/test_features.py build
part 'command, train' python3 tests/cli/test_train.py build
part 'command, train more' python3 tests/cli/test_tune.py build
golden "$oracles" 'tensorflow-cpu==2.12.1 tf_slim==1.1.0 opencv-python-headless==4.8.1.78 pillow==10.4.0 scikit-learn==1.2.2' \
    'prepare checkpoints networks googlenet trunk operators gradients head distort events'
golden "$oracles-onnx" 'onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1' onnx # TensorFlow's numpy is too old for them
rm -r "$logs"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
