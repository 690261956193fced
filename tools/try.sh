#!/bin/sh
# From nothing to a classified photo: installs what is needed, builds build/inception and runs it.
#
#     sh tools/try.sh [PHOTO [MODEL]]
#
# Without a photo it takes ImageMagick's built-in rose. Without a model it takes one from the cache; failing that the real
# GoogLeNet weights among the test data, if those are there; failing that the command says what to download.
set -e
case $1 in /*|"") photo=$1 ;; *) photo=$(pwd)/$1 ;; esac
case $2 in /*|"") model=$2 ;; *) model=$(pwd)/$2 ;; esac
cd "$(dirname "$0")/.."
sh tools/install.sh
[ -f build/build.ninja ] || meson setup build -Dtests=false >/dev/null
meson compile -C build >/dev/null
if [ -z "$photo" ]; then
    photo=build/rose.png
    convert rose: "$photo"
fi
weights=${INCEPTION_TEST_DATA:-../shared}/weights/googlenet
if [ -z "$model" ] && ! build/inception models --json | grep -q '"path": "' && [ -d "$weights" ]; then
    model=build/googlenet.caffemodel
    [ -f "$model" ] || python3 tools/googlenet_caffemodel.py "$weights" "$model"
fi
exec build/inception classify ${model:+-m "$model"} "$photo"
