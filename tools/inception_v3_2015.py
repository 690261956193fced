"""Writes Google's Inception V3 of December 2015 as TF-Slim's variables, complete up to Mixed_7a, into a safetensors file, from
its tensors in ../shared/weights/inception_v3_2015 (spec/real_weights.md).

    python3 tools/inception_v3_2015.py ../shared/weights/inception_v3_2015 trunk.safetensors

Batch norm is folded into those weights. Here it stands beside them as one that changes nothing but for the bias: mean 0,
variance 0.999, which with TF-Slim's epsilon of 0.001 is 1. Filters are stored [out][height][width][in] and become
TensorFlow's [height][width][in][out]."""
import array
import json
import os
import re
import struct
import sys

STEM = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
PLAIN = ["0a_1x1"], ["0a_1x1", "0b_5x5"], ["0a_1x1", "0b_3x3", "0c_3x3"], ["0b_1x1"]
ODD = PLAIN[0], ["0b_1x1", "0c_5x5"], PLAIN[2], PLAIN[3]
WIDE = PLAIN[0], ["0a_1x1", "0b_1x7", "0c_7x1"], ["0a_1x1", "0b_7x1", "0c_1x7", "0d_7x1", "0e_1x7"], PLAIN[3]
BLOCKS = [("Mixed_5b", PLAIN), ("Mixed_5c", ODD), ("Mixed_5d", PLAIN),
          ("Mixed_6a", (["1a_1x1"], ["0a_1x1", "0b_3x3", "1a_1x1"])), ("Mixed_6b", WIDE),
          ("Mixed_6c", WIDE), ("Mixed_6d", WIDE), ("Mixed_6e", WIDE),
          ("Mixed_7a", (["0a_1x1", "1a_3x3"], ["0a_1x1", "0b_1x7", "0c_7x1", "1a_3x3"]))]
TOWERS = ["", "tower_", "tower_1_", "tower_2_"]


def numbered(name, number):
    return f"{name}_{number}" if number else name


def convolutions():
    """(name of 2015, TF-Slim's scope, kernel's height and width)."""
    for i, scope in enumerate(STEM):
        yield numbered("conv", i), scope, int(scope[-3]), int(scope[-1])
    for i, (block, branches) in enumerate(BLOCKS):
        towers = TOWERS[1:] if block == "Mixed_7a" else TOWERS
        for branch, layers in enumerate(branches):
            for k, layer in enumerate(layers):
                kind = "Conv_1" if (block, layer) == ("Mixed_5c", "0c_5x5") else "Conv2d"
                height, width = ("3", "3") if block == "Mixed_6a" and layer == "1a_1x1" else re.findall(r"\d", layer)[1:]
                old = f"{numbered('mixed', i)}_{towers[branch]}{numbered('conv', k)}"
                yield old, f"{block}/Branch_{branch}/{kind}_{layer}", int(height), int(width)


def read(folder, name):
    values = array.array("f")
    with open(os.path.join(folder, name + ".dat"), "rb") as file:
        values.frombytes(file.read())
    if sys.byteorder == "big":
        values.byteswap()
    return values


def tensors(folder):
    """(name, shape, values) of every variable."""
    for old, scope, height, width in convolutions():
        filters, biases = read(folder, "weights_" + old), read(folder, "bias_" + old)
        outputs = len(biases)
        each = len(filters) // outputs
        turned = array.array("f", bytes(4 * len(filters)))
        for out in range(outputs):
            turned[out::outputs] = filters[out * each:(out + 1) * each]
        yield f"InceptionV3/{scope}/weights", [height, width, each // (height * width), outputs], turned
        for name, values in (("beta", biases), ("moving_mean", array.array("f", [0]) * outputs),
                             ("moving_variance", array.array("f", [0.999]) * outputs)):
            yield f"InceptionV3/{scope}/BatchNorm/{name}", [outputs], values


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, target = sys.argv[1:]
    header, parts, at = {}, [], 0
    for name, shape, values in tensors(folder):
        if sys.byteorder == "big":
            values.byteswap()
        parts.append(values.tobytes())
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(parts[-1])]}
        at += len(parts[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(target + ".partial", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)
    os.replace(target + ".partial", target)
    print(f"{target}: {len(parts)} tensors, {at // 4} values")


main()
