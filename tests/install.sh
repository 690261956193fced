#!/bin/sh
# Installs into a staging folder and builds against it as a stranger would: the program at the top of inception.h, in C and
# in C++, found through pkg-config, linked with the shared and with the static library. Runs it. Prints TAP.
. tests/tap.sh
check 'meson install' meson install -C build --destdir "$stage/root"
prefix=$stage/root/usr/local
lib=$(dirname "$(find "$prefix" -name libinception.so | head -1)")
export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage/root" LD_LIBRARY_PATH="$lib"
awk '/^ \*     / { print substr($0, 8) } /Calls chain/ { exit }' include/inception.h >"$stage/program.c"
sed 's/(const inception_image \*\[\]){photo}/one/; s/inception_classify(session/const inception_image *one[] = {photo}; &/
     s/{{0}}/{}/; s/= {0}/= {}/' "$stage/program.c" >"$stage/program.cpp"
flags=$(pkg-config --cflags --libs inception)
all=$(pkg-config --cflags --libs --static inception)
check 'the program in C' cc -std=c11 -Wall -Wextra -Werror "$stage/program.c" -o "$stage/c" $flags
check 'the program in C++' c++ -std=c++17 -Wall -Wextra -Werror "$stage/program.cpp" -o "$stage/cpp" $flags
check 'the program with the static library' cc -std=c11 "$stage/program.c" -o "$stage/static" \
    -I"$prefix/include" "$lib/libinception.a" $(echo "$all" | sed 's/-linception//')
echo '#include <inception.h>' >"$stage/alone.c"
check 'the header alone, strict C11' cc -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" "$stage/alone.c"
check 'the header alone, strict C++11' c++ -std=c++11 -pedantic -Wall -Wextra -Werror -x c++ -fsyntax-only \
    -I"$prefix/include" "$stage/alone.c"
convert rose: "$stage/rose.png"
weights=$INCEPTION_TEST_DATA/weights/googlenet
if [ -d "$weights" ]; then
    python3 tools/googlenet_caffemodel.py "$weights" "$stage/googlenet.caffemodel"
    for program in c cpp static; do
        check "it runs ($program)" sh -c '"$1" "$2" "$3" && [ "$("$1" "$2" "$3" | wc -l)" = 5 ]' - "$stage/$program" \
            "$stage/googlenet.caffemodel" "$stage/rose.png"
    done
else
    skip 'it runs' 'no test data'
fi
check 'it refuses a model that is none' sh -c '"$1" "$2" "$2"; [ $? = 1 ]' - "$stage/c" "$stage/rose.png"
check 'the command is installed' "$prefix/bin/inception" --version
sum=$(sha256sum "$stage/rose.png" | cut -d ' ' -f 1)
check 'its extras are found' env XDG_CACHE_HOME="$stage" "$prefix/bin/inception" fetch "$stage/rose.png" --sha256="$sum"
rm "$lib"/inception/inception-extras-*.so
check 'without them it says so in one sentence' sh -c '! "$1/bin/inception" fetch "$2/rose.png" --sha256="$3" 2>"$2/said" &&
    [ "$(wc -l <"$2/said")" = 1 ] && grep "cannot be loaded: inception-extras" "$2/said"' - "$prefix" "$stage" "$sum"
check 'and starts' "$prefix/bin/inception" models
check 'a photo with nothing fetched' sh -c 'XDG_CACHE_HOME="$2/none" "$1/bin/inception" classify -k1 "$2/rose.png" >"$2/said" &&
    grep "^rose: " "$2/said" && ! grep "not one of" "$2/said"' - "$prefix" "$stage"
for file in inception/README.md man/man1/inception.1 man/man1/inception-classify.1 bash-completion/completions/inception \
    zsh/site-functions/_inception fish/vendor_completions.d/inception.fish; do
    check "$file is installed" test -s "$prefix/share/$file"
done
finish
