"""Writes Caffe's bvlc_googlenet.caffemodel again from its tensors in ../shared/weights/googlenet (spec/real_weights.md).

    python3 tools/googlenet_caffemodel.py ../shared/weights/googlenet googlenet.caffemodel [--old]

--old: the encoding of 2014, as Caffe's own download has it: field `layers`, shapes as num, channels, height, width.
Layers, names and order come from deploy.prototxt. Filters are stored [out][height][width][in] and become Caffe's
[out][in][height][width]."""
import array
import os
import re
import sys

TYPES = {"Convolution": 4, "InnerProduct": 14}  # V1LayerParameter.LayerType


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def blob(values, shape, old):
    if old:
        padded = [1] * (4 - len(shape)) + shape
        head = b"".join(number(i + 1, size) for i, size in enumerate(padded))
        return head + text(5, values.tobytes())
    return text(5, values.tobytes()) + text(7, text(1, b"".join(map(varint, shape))))


def layers(prototxt):
    """(name, type, outputs, kernel) of the layers that have weights."""
    for part in re.split(r"^layer \{", prototxt, flags=re.M)[1:]:
        def setting(key, default="1"):
            found = re.search(rf"\b{key}: \"?([^\"\n]+)", part)
            return found.group(1) if found else default
        if setting("type") in TYPES:
            yield setting("name"), setting("type"), int(setting("num_output")), int(setting("kernel_size"))


def read(folder, name):
    values = array.array("f")
    path = os.path.join(folder, "weights", name + ".bin")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    if sys.byteorder == "big":
        values.byteswap()
    return values


def caffe_order(values, outputs, kernel):
    """[out][height][width][in] -> [out][in][height][width]"""
    area = kernel * kernel
    inputs = len(values) // (outputs * area)
    turned = array.array("f", bytes(len(values) * 4))
    for out in range(outputs):
        begin = out * area * inputs
        for place in range(area):
            source = begin + place * inputs
            turned[begin + place:begin + area * inputs:area] = values[source:source + inputs]
    return turned, inputs


def main():
    arguments = [a for a in sys.argv[1:] if a != "--old"]
    old = "--old" in sys.argv
    if len(arguments) != 2:
        sys.exit(__doc__)
    folder, target = arguments
    with open(os.path.join(folder, "deploy.prototxt")) as file:
        prototxt = file.read()
    net, count = [text(1, "GoogleNet")], 0
    for name, kind, outputs, kernel in layers(prototxt):
        filters, biases = read(folder, name + "_filter"), read(folder, name + "_bias")
        filters, inputs = caffe_order(filters, outputs, kernel)
        shape = [outputs, inputs, kernel, kernel] if kind == "Convolution" else [outputs, inputs]
        blobs = [blob(filters, shape, old), blob(biases, [outputs], old)]
        if old:
            layer = text(4, name) + number(5, TYPES[kind]) + b"".join(text(6, b) for b in blobs)
        else:
            layer = text(1, name) + text(2, kind) + b"".join(text(7, b) for b in blobs)
        net.append(text(2 if old else 100, layer))
        count += len(filters) + len(biases)
    with open(target + ".partial", "wb") as file:
        file.write(b"".join(net))
    os.replace(target + ".partial", target)
    print(f"{target}: {len(net) - 1} layers, {count} values")


main()
