#!/bin/sh
# From nothing to a classified photo: installs what is needed, builds build/inception and runs it.
#
#     sh tools/try.sh
#     sh tools/try.sh PHOTO
#     sh tools/try.sh PHOTO MODEL
#
# Without a photo it takes the rose that ImageMagick brings. MODEL is a file or the name of a network. Without one the command
# takes the best network in the cache, or else the built-in model; where neither is there, the real GoogLeNet weights among
# the test data, if those are there; failing that it says what to download.
set -e
absolute() { if [ -e "$1" ]; then realpath "$1"; else echo "$1"; fi; }
photo=${1:+$(absolute "$1")}
model=${2:+$(absolute "$2")}
cd "$(dirname "$0")/.."
sh tools/install.sh
[ -x build/inception ] || echo 'building build/inception ...' >&2
[ -f build/build.ninja ] || meson setup build -Dtests=false >/dev/null
meson compile -C build >/dev/null
if [ -z "$photo" ]; then
    photo=build/rose.png
    convert rose: "$photo"
fi
weights=${INCEPTION_TEST_DATA:-../shared}/weights/googlenet
if [ -z "$model" ] && [ ! -f models/flowers.safetensors ] && [ -d "$weights" ] &&
    ! build/inception models --json | grep -q '"path": "'; then
    model=build/googlenet.caffemodel
    [ -f "$model" ] || python3 tools/googlenet_caffemodel.py "$weights" "$model" >&2
fi
exec build/inception classify ${model:+-m "$model"} "$photo"
