#!/bin/sh
# Installs what building and testing need, from Debian's packages. `install.sh tests` adds what only the tests need.
set -e
packages='meson ninja-build pkg-config gcc libc6-dev libdnnl-dev libjpeg62-turbo-dev libpng-dev libexif-dev libwebp-dev
libgif-dev libjansson-dev libcurl4-openssl-dev libarchive-dev libssl-dev libcairo2-dev libpango1.0-dev libchafa-dev
libglib2.0-dev ca-certificates fonts-inter imagemagick python3'
[ "$1" != tests ] || packages="$packages build-essential clang libomp-dev libcmocka-dev libclang-rt-14-dev locales llvm python3-venv git
man-db binutils libjpeg-turbo-progs poppler-utils tmux mandoc zsh fish debhelper lintian"
missing=$(for p in $packages; do dpkg -s "$p" >/dev/null 2>&1 || echo "$p"; done)
[ -n "$missing" ] || exit 0
root=
[ "$(id -u)" = 0 ] || root=sudo
if [ "$root" ] && ! command -v sudo >/dev/null; then
    echo "install.sh: root must install these packages:" $missing >&2
    exit 1
fi
echo "installing:" $missing >&2
$root apt-get update -qq >/dev/null
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
