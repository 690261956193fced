#!/bin/sh
# Makes flowers.safetensors from random values: sh models/flowers.sh DATA
# DATA has flowers128 and flowers, see flowers.py; four hours on two cores of Zen 4. Its log is flowers.log.
# INCEPTION is the command (default: build/inception), PYTHON one with numpy and Pillow (a whole path). Photos of other things
# come from packages of Debian 12 (890 MB).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "$1" && pwd)
inception=$(realpath "${INCEPTION:-$here/../build/inception}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$(command -v "${PYTHON:-python3}")
cd "$work"
echo "see $here/flowers.log" >&2
exec 3>&1 >"$here/flowers.log" 2>&1

apt-get download opencv-doc kphotoalbum supertuxkart-data tuxpaint-stamps-default
for package in *.deb; do dpkg-deb -x "$package" others; done
"$python" "$here/flowers.py" "$data/flowers128" "$data/flowers" others .
usual="--batch 64 --optimiser momentum --precision bf16 --weight-decay 0.0005 --label-smoothing 0.1"

# From random values, with a sixth class, nothing.
"$inception" train --from-scratch --network v2 --depth-multiplier 0.5 --input-size 128 $usual --epochs 220 \
    --schedule cosine --rate 0.08 --warm-up 5 --mix-up 0.3 --smallest-crop 0.2 --average-decay 0.999 --norm-decay 0.99936 \
    --output first.safetensors first

# On a larger input, with turned flowers and photos of other things; nothing is no class any more. The best of 50 epochs was the
# 22nd: with a small rate the network learns by heart.
onwards="--unfreeze all --batch-statistics --others nothing --input-size 160 --mix-up 0.3 --smallest-crop 0.2 \
    --norm-decay 0.99"
"$inception" train --model first.safetensors $onwards $usual --epochs 50 --schedule cosine --rate 0.05 \
    --warm-up 1 --average-decay 0.998 --output second.safetensors second

# So the rate stays where it is, and averages of many steps make the model.
"$inception" train --model second.safetensors $onwards $usual --epochs 12 --schedule fixed --rate 0.035 \
    --warm-up 0.2 --average-decay 0.9995 --output third.safetensors second

# With exchanged rectangles, until validation has not become better for 8 epochs: the best was the 32nd.
"$inception" train --model third.safetensors $onwards $usual --epochs 60 --schedule cosine --rate 0.05 \
    --warm-up 1 --cut-mix 1 --average-decay 0.999 --patience 8 --output fourth.safetensors second

# The output layer as L-BFGS finds it, and what is to be turned away.
"$inception" train --model fourth.safetensors --others nothing --output fifth.safetensors second
"$inception" convert --weights bf16 fifth.safetensors bf16.safetensors
mv bf16.safetensors "$here/flowers.safetensors"
echo "$here/flowers.safetensors written" >&3
