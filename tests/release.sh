#!/bin/sh
# Makes the release tarball and runs it where there is nothing but a C library: no shell, no fonts. Prints TAP.
. tests/tap.sh
version=$(build/inception --version | cut -d ' ' -f 2)
folder=inception-$version-linux-$(uname -m)
root=$stage/root
check 'tools/release.sh' sh tools/release.sh "$stage"
mkdir -p "$root/tmp"
check 'it unpacks into one folder' sh -c 'tar -C "$1" -xf "$2/$3.tar.gz" && [ "$(ls "$1")" = "$3
tmp" ]' - "$root" "$stage" "$folder"
for file in README.md share/inception/README.md share/man/man1/inception.1 share/man/man1/inception-classify.1 \
    share/bash-completion/completions/inception share/zsh/site-functions/_inception \
    share/fish/vendor_completions.d/inception.fish share/doc/inception/copyright/libdnnl2; do
    check "$file" test -s "$root/$folder/$file"
done
check 'libjpeg, libexif, libwebp, giflib and jansson are linked in' \
    sh -c '! ldd "$1" | grep -E "lib(jpeg|exif|webp|gif|jansson)\."' - "$root/$folder/bin/inception"
check 'a library is there for each of its copyright notices' sh -c '[ "$(ls "$1/lib/inception" | wc -l)" -ge \
    "$(ls "$1/share/doc/inception/copyright" | wc -l)" ]' - "$root/$folder"

# The root: the tarball, and of this machine the files of the C library only.
for library in $(dpkg -L libc6 | grep -E '/(ld-linux[^/]*|lib(c|m|dl|pthread|rt|resolv))\.so\.[0-9]$'); do
    mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library"
done
[ -e "$root/lib64/ld-linux-x86-64.so.2" ] || { mkdir -p "$root/lib64" && cp -L /lib64/ld-linux-* "$root/lib64/"; }
user=
[ "$(id -u)" = 0 ] || user='--user --map-root-user'
mkdir "$root/proc" # where the dynamic linker asks for the place of the command
cat >"$stage/bare" <<END
#!/bin/sh
exec env -i HOME=/tmp PATH=/usr/sbin:/usr/bin unshare $user --mount \
    sh -c 'mount --rbind /proc "\$0/proc" && exec chroot "\$0" "\$@"' "$root" "\$@"
END
bare="sh $stage/bare"
if ! unshare $user --mount sh -c "mount --rbind /proc '$root/proc' && PATH=/usr/sbin:\$PATH chroot / true" 2>/dev/null; then
    skip 'it runs where there is only a C library' 'no right to mount'
    echo "1..$count"
    exit "$failed"
fi
convert rose: "$root/tmp/rose.png"
check 'it starts' $bare "/$folder/bin/inception" --version
check 'it prepares a photo' $bare "/$folder/bin/inception" prepare -n v3 /tmp/rose.png -o /tmp/x.npy
check 'it classifies with nothing fetched' $bare "/$folder/bin/inception" classify /tmp/rose.png
check 'it has its extras' $bare "/$folder/bin/inception" fetch /tmp/rose.png \
    --sha256="$(sha256sum "$root/tmp/rose.png" | cut -d ' ' -f 1)"
check 'it starts by a link, from elsewhere' sh -c 'ln -s "../$2/bin/inception" "$1/tmp/link" && shift 2 && "$@"' - \
    "$root" "$folder" $bare /tmp/link models
if [ -d "$INCEPTION_TEST_DATA/weights/googlenet" ]; then
    python3 tools/googlenet_caffemodel.py "$INCEPTION_TEST_DATA/weights/googlenet" "$root/tmp/g.caffemodel" >/dev/null
    $bare "/$folder/bin/inception" classify -m /tmp/g.caffemodel /tmp/rose.png >"$stage/there" 2>"$stage/log"
    build/inception classify -m "$root/tmp/g.caffemodel" "$root/tmp/rose.png" >"$stage/here"
    check 'it classifies as the build does' sh -c '[ "$(wc -l <"$1")" = 13 ] && cmp "$1" "$2"' - "$stage/there" "$stage/here"
    check 'without a font it says so, and draws nothing' sh -c 'card=$1; shift; "$@" 2>&1 | grep "no font" && [ ! -e "$card" ]' - \
        "$root/tmp/card.png" $bare "/$folder/bin/inception" classify -m /tmp/g.caffemodel --plot=/tmp/card.png /tmp/rose.png
else
    skip 'it classifies as the build does' 'no test data'
fi
mv "$root/$folder/lib" "$root/$folder/away"
check 'without its libraries it does not start: none came from elsewhere' sh -c '"$@" 2>&1 | grep "shared libraries"' - $bare \
    "/$folder/bin/inception" --version
finish
