#!/bin/sh
# Builds the Debian packages from what git knows of this folder, has lintian look at them, unpacks them side by side and
# tries what a user of them would. Prints TAP.
. tests/tap.sh
if ! dpkg -s debhelper lintian >/dev/null 2>&1; then
    printf 'ok 1 - Debian packages # SKIP no debhelper or no lintian\n1..1\n'
    exit
fi
mkdir "$stage/inception" "$stage/root"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp -a --parents -t "$stage/inception"
check 'dpkg-buildpackage' sh -c 'cd "$1/inception" && dpkg-buildpackage -us -uc -b' - "$stage"
check 'lintian finds no error' lintian --allow-root --fail-on error "$stage"/inception_*.changes
for package in inception libinception0 libinception-dev; do
    check "$package unpacks" sh -c 'dpkg-deb -x "$1/$2"_*.deb "$1/root"' - "$stage" "$package"
done
root=$stage/root/usr
lib=$(dirname "$(find "$root/lib" -name libinception.so | head -1)")
version=$(head -1 debian/changelog | tr -d '()' | cut -d ' ' -f 2)
check 'the command has the version of the package' sh -c '[ "$("$1" --version)" = "inception $2" ]' - "$root/bin/inception" \
    "$version"
check 'no copy of the library in its needs' sh -c '! ldd "$1" | grep -q libinception' - "$root/bin/inception"
echo weights >"$stage/file"
check 'what the extras need is depended on' sh -c 'dpkg-deb -f "$1"/inception_*.deb Depends | grep libcurl4 |
    grep libpango' - "$stage"
check 'its extras are found' env XDG_CACHE_HOME="$stage" "$root/bin/inception" fetch "$stage/file" \
    --sha256="$(sha256sum "$stage/file" | cut -d ' ' -f 1)"
convert rose: "$stage/rose.png"
check 'a photo with nothing fetched' env XDG_CACHE_HOME="$stage/none" "$root/bin/inception" classify "$stage/rose.png"
for file in inception/README.md man/man1/inception.1.gz man/man1/inception-features.1.gz bash-completion/completions/inception \
    zsh/vendor-completions/_inception fish/vendor_completions.d/inception.fish doc/inception/copyright; do
    check "$file" test -s "$root/share/$file"
done
check 'the copyright file says that there is no licence' grep -q 'No licence has been chosen' \
    "$root/share/doc/inception/copyright"
cat >"$stage/program.c" <<'END'
#include <inception.h>
#include <stdio.h>
int main(void)
{
    size_t count;
    inception_networks(&count);
    return printf("%zu\n", count) < 0;
}
END
check 'a program against library and header' sh -c 'cc -I"$1/include" "$2/program.c" -o "$2/program" -L"$3" -linception &&
    [ "$(LD_LIBRARY_PATH="$3" "$2/program")" = 6 ] && ldd "$2/program" | grep -q libinception.so.0' - "$root" "$stage" "$lib"
finish
