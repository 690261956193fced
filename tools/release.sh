#!/bin/sh
# Makes inception-VERSION-linux-MACHINE.tar.gz: a folder that runs wherever it is unpacked, on Linux with a C library as new
# as this one's. It needs no other library and no root.
#
#     sh tools/release.sh [FOLDER]        FOLDER gets the tarball; default: build-release
#
# As static as Debian's packages allow: libjpeg, libexif, libwebp, giflib and jansson are linked in; oneDNN, pango and
# harfbuzz have no static form, nor has libcurl without Kerberos, and what they share with the command must be there once.
# Those, and all that they need, lie in lib/inception beside the command, with the copyright notices of their packages. The
# command finds them by an RPATH (not a RUNPATH, which would not count for what the libraries need themselves). The C library
# is left out: it belongs to the dynamic linker and the name services of the machine.
set -e
build=build-release
out=${1:+$(realpath -m "$1")}
out=${out:-$build}
quietly() { said=$("$@" 2>&1) || { echo "$said" >&2; exit 1; }; }
cd "$(dirname "$0")/.."
sh tools/install.sh
[ -f "$build/build.ninja" ] || quietly meson setup "$build" --prefix=/ --libdir=lib -Dtests=false -Dprefer_static=true \
    -Ddefault_library=static -Dstrip=true
quietly meson compile -C "$build"
rm -rf "$build/all" "$build/stage"
meson install -C "$build" --destdir all >/dev/null

name=inception-$("$build/inception" --version | cut -d ' ' -f 2)-linux-$(uname -m)
top=$build/stage/$name
mkdir -p "$top/lib" "$top/share/doc/inception/copyright" "$out"
cp -r "$build/all/bin" "$top/"
cp -r "$build/all/lib/inception" "$top/lib/"
cp -r "$build/all/share/." "$top/share/"
cp README.md "$top/"
ldd "$build/inception" "$build"/inception-extras-*.so | awk '$3 ~ /^\// { print $3 }' | sort -u >"$build/needed"
sed 'p; s|^|/usr|' "$build/needed" | xargs dpkg -S >"$build/owners" 2>/dev/null || true # one of the two spellings is known
while read -r library; do
    package=$(awk -v file="$library" '$2 == file || $2 == "/usr" file { sub(/:.*/, ""); print; exit }' "$build/owners")
    [ "$package" ] || { echo "release.sh: $library belongs to no package" >&2; exit 1; }
    [ "$package" != libc6 ] || continue
    cp -L "$library" "$top/lib/inception/"
    cp "/usr/share/doc/$package/copyright" "$top/share/doc/inception/copyright/$package"
done <"$build/needed"
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)} # of a source archive without history: now
tar -C "$build/stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$time" -c "$name" |
    gzip -n >"$out/$name.tar.gz"
echo "$out/$name.tar.gz"
