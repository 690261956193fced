#!/bin/sh
# Makes flowers.safetensors from random values: sh models/flowers.sh DATA
# DATA has flowers128 and flowers, see flowers.py; an hour and a half on two cores of Zen 4. Its log is flowers.log.
# INCEPTION is the command (default: build/inception), PYTHON one with numpy and Pillow.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "$1" && pwd)
inception=$(realpath "${INCEPTION:-$here/../build/inception}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec 3>&1 >"$here/flowers.log" 2>&1

"${PYTHON:-python3}" "$here/flowers.py" "$data/flowers128" "$data/flowers" .

# A trunk that tells flowers from nothing, from random values.
"$inception" train --from-scratch --network v2 --depth-multiplier 0.5 --input-size 128 --precision bf16 \
    --epochs 220 --batch 64 --optimiser momentum --rate 0.08 --schedule cosine --warm-up 5 --weight-decay 0.0005 \
    --label-smoothing 0.1 --mix-up 0.3 --smallest-crop 0.2 --average-decay 0.999 --output trunk.safetensors six

# On its features an output layer for the flowers alone, which is calibrated and knows how like photos of its classes are.
"$inception" train --model trunk.safetensors --output flowers.safetensors five
"$inception" convert --weights bf16 flowers.safetensors bf16.safetensors
mv bf16.safetensors "$here/flowers.safetensors"
echo "$here/flowers.safetensors written" >&3
