#!/bin/sh
# Holds the line before a person does: include directions, house rules that grep can see. Prints TAP. From the project's
# root; takes the build folder to check exported symbols in (default build).
build=${1:-build}
count=0 failed=0
check() { # name, findings
    count=$((count + 1))
    if [ -z "$2" ]; then echo "ok $count - $1"; return; fi
    failed=$((failed + 1))
    echo "not ok $count - $1"
    printf '%s\n' "$2" | head -20 | sed 's/^/# /'
}
sources=$(git ls-files --cached --others --exclude-standard '*.c' '*.h' | sort)
check 'files to look at' "$([ "$sources" ] || echo 'git lists none')"

# folder: the folders whose door it may include (docs/architecture.md)
directions='base:
image: base
checkpoint: base
graph: base
onnx: base graph
events: base graph
model: base checkpoint graph onnx
engine: base graph
train: base image checkpoint graph model engine
head: base engine
draw: base image'
found=$(echo "$directions" | while IFS=: read -r folder allowed; do
    grep -n '#include "\.\./' src/"$folder"/*.[ch] | while IFS= read -r line; do
        target=$(echo "$line" | sed 's/.*"\.\.\/\([a-z]*\)\/\([a-z]*\.h\)".*/\1\/\2/')
        other=${target%%/*}
        case " $allowed " in *" $other "*) [ "$target" = "$other/$other.h" ] && continue ;; esac
        echo "$line"
    done
done
grep -n '#include "' src/*.c | grep -vE '"([a-z]+)/\1\.h"|"private\.h"')
check 'folders include only the doors of folders below them' "$found"

# library header: the folder that alone includes it
owners='jpeglib.h:src/image png.h:src/image libexif/:src/image webp/:src/image gif_lib.h:src/image
jansson.h:src/checkpoint|cli curl/:cli archive:cli openssl/:cli oneapi/dnnl:src/engine omp.h:src/engine
cairo:src/draw pango/:src/draw glib:src/draw chafa.h:cli pthread.h:src/base|cli'
found=$(for owner in $owners; do
    grep -nE "#include <${owner%%:*}" src/*.[ch] src/*/*.[ch] cli/*.[ch] | grep -vE "^(${owner##*:})/"
done)
check 'each outside library is included by its one folder' "$found"
check 'the command includes the public header only' "$(grep -nE '#include ".*/' cli/*.[ch])"
check 'the library neither prints nor ends the process' \
    "$(grep -nE '(^|[^a-z_])(exit|abort|_exit|f?printf|puts|perror|fputs|putchar|assert)\(|\b(stderr|stdout)\b' \
       src/*.c src/*/*.c)"
check 'no tabs, trailing blanks or missing last newlines' \
    "$(grep -nP '\t| +$' $sources; for f in $sources; do [ -z "$(tail -c 1 "$f")" ] || echo "$f"; done)"
check 'no file over 600 lines but tables' \
    "$(wc -l $sources | awk '$2 != "total" && $1 > 600 && $2 !~ /imagenet/ { print $2, $1 }')"
check 'lines of at most 125 columns but tables' \
    "$(awk 'length > 125 { print FILENAME ":" FNR }' $(echo "$sources" | grep -vE 'imagenet|rows\.h'))"
check 'nothing left open' "$(grep -nE '\b(TODO|FIXME|XXX)\b' $sources)"
check 'C intrinsics only in src/engine/kernels' \
    "$(grep -nE '[a-z]mmintrin|arm_neon|__AVX' $sources | grep -v '^src/engine/kernels')"
if [ -f "$build/libinception.so" ]; then
    check 'every exported symbol is ours' \
        "$(nm -D --defined-only "$build/libinception.so" | awk '{ print $3 }' | grep -vE '^inception_')"
    check 'every symbol that crosses files is ours' \
        "$(nm -g --defined-only "$build/libinception.a" | awk 'NF == 3 { print $3 }' | grep -vE '^(inception|inc)_')"
    check 'no mutable state in the library' \
        "$(size -A "$build/libinception.a" | awk '/^lib|:$/ { file = $1 } $1 ~ /^\.t?(data|bss)$/ && $2 > 0 { print file, $1, $2 }')"
    check 'no call that prints or ends the process' \
        "$(nm -u "$build/libinception.a" | grep -wE '_?exit|abort|f?printf|puts|perror|fputs|putchar|__assert_fail|__f?printf_chk')"
else
    check 'a build to look at' "$build: no libinception.so"
fi
echo "1..$count"
[ "$failed" = 0 ]
