#!/bin/sh
# From nothing to a classified photo: installs what is needed, builds build/inception and runs it.
#
#     sh tools/try.sh
#     sh tools/try.sh PHOTO
#     sh tools/try.sh PHOTO MODEL
#
# Without a photo it takes the rose that ImageMagick brings. MODEL is a file or the name of a network. Without one the command
# takes the best network in the cache, or else the built-in model, which knows five flowers.
set -e
absolute() { if [ -e "$1" ] || [ -e "$1.index" ]; then realpath -m "$1"; else echo "$1"; fi; } # or a network's name, a URL
quietly() { said=$("$@" 2>&1) || { echo "$said" >&2; exit 1; }; }
photo=${1:+$(absolute "$1")}
model=${2:+$(absolute "$2")}
cd "$(dirname "$0")/.."
sh tools/install.sh
[ -x build/inception ] || echo 'building build/inception ...' >&2
[ -f build/build.ninja ] || quietly meson setup build -Dtests=false
quietly meson compile -C build
if [ -z "$photo" ]; then
    photo=build/rose.png
    convert rose: "$photo"
fi
exec build/inception classify ${model:+-m "$model"} "$photo"
