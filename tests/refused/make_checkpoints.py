"""Makes the damaged weights files in tests/refused/checkpoint. Each must be refused; its name says why.

    python3 tests/refused/make_checkpoints.py [FOLDER]

Files that a fuzzer found lie in the folder too, and are left alone. The writer below follows the formats of TensorFlow
(sorted tables, slices, bundles), Caffe and safetensors, and lets each piece be made wrong."""
import json
import os
import struct
import sys

FOLDER = sys.argv[1] if __name__ == "__main__" and sys.argv[1:] else os.path.join(os.path.dirname(__file__), "checkpoint")
FLOAT, DOUBLE, STRING = 1, 2, 7
FOUR = struct.pack("<4f", 1, 2, 3, 4)


def crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def masked(data):
    value = crc(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(value):
    value &= 2**64 - 1
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


# ---- tables ----

def entry(key, value, shared=0):
    return varint(shared) + varint(len(key)) + varint(len(value)) + key + value


def contents(entries, restarts=(0,), count=None):
    restarts = list(restarts)
    count = len(restarts) if count is None else count
    return b"".join(entries) + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", count)


def sealed(block, kind=0):
    return block + bytes([kind]) + masked(block + bytes([kind]))


def table(block, kind=0, handles=None, last=b"\xff", meta=None):
    """One data block, given by its contents; `handles`: what the index says in place of the truth."""
    data = sealed(block, kind)
    middle = sealed(contents([]) if meta is None else meta)
    handles = [varint(0) + varint(len(block))] if handles is None else handles
    rows = [entry(last[:-1] + bytes([last[-1] - len(handles) + 1 + i]), handle) for i, handle in enumerate(handles)]
    starts = [sum(map(len, rows[:i])) for i in range(len(rows))]
    index = contents(rows, starts)
    footer = varint(len(data)) + varint(len(middle) - 5) + varint(len(data) + len(middle)) + varint(len(index))
    return data + middle + sealed(index) + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def ordered(name, slices):
    key = b"\0" + name.encode() + b"\0\1" + (bytes([1, len(slices)]) if slices else b"\0")
    for start, length in slices:
        assert 0 <= start < 64 and -1 <= length < 64
        key += bytes([start ^ 0x80, length & 0xFF ^ 0x80])
    return key


def shape_proto(dims):
    return b"".join(text(2, number(1, size)) for size in dims)


def slice_proto(slices):
    return b"".join(text(1, (number(1, s) if s else b"") + (number(2, n) if n >= 0 else b"")) for s, n in slices)


def listed(name, dims, kind=FLOAT):
    return text(1, text(1, name) + text(2, shape_proto(dims)) + number(3, kind))


def saved(name, slices, values, key=None):
    record = text(2, text(1, name) + text(2, slice_proto(slices)) + text(3, text(5, values)))
    return (ordered(name, slices) if key is None else key), record


def v1(tensors, *records, **rest):
    rows = [(b"", text(1, b"".join(tensors)))] + list(records)
    return table(contents([entry(*row) for row in rows]), **rest)


WHOLE = [(0, -1)]
GOOD = ([listed("a", [4])], saved("a", WHOLE, FOUR))


def tables():
    good = v1(*GOOD)
    rows = [(b"", text(1, listed("a", [4]))), saved("a", WHOLE, FOUR)]
    entries = [entry(*row) for row in rows]
    size = len(contents(entries))
    flipped = bytearray(good)
    flipped[30] ^= 1
    cut = good[:len(good) // 2]
    padding = bytearray(good)
    padding[-9] = 1
    footer = bytearray(good)
    footer[-48:-8] = b"\xff" * 40
    handle = varint(0) + varint(size)
    yield "cut-short.ckpt", cut
    yield "footer-missing.ckpt", good[:-48]
    yield "block-checksum.ckpt", bytes(flipped)
    yield "footer-padding.ckpt", bytes(padding)
    yield "footer-handles.ckpt", bytes(footer)
    yield "block-beyond-end.ckpt", v1(*GOOD, handles=[varint(0) + varint(10**6)])
    yield "block-size-overflow.ckpt", v1(*GOOD, handles=[varint(1) + varint(2**64 - 1)])
    yield "block-offset-overflow.ckpt", v1(*GOOD, handles=[varint(2**64 - 1) + varint(size)])
    yield "block-handle-incomplete.ckpt", v1(*GOOD, handles=[varint(0)])
    yield "blocks-overlap.ckpt", v1(*GOOD, handles=[handle, handle])
    yield "block-snappy.ckpt", v1(*GOOD, kind=1)
    yield "block-unknown-type.ckpt", v1(*GOOD, kind=2)
    yield "block-key-above-index.ckpt", v1(*GOOD, last=b"\0\1")
    yield "metaindex-damaged.ckpt", v1(*GOOD, meta=b"\0\0\0\0")
    yield "restarts-none.ckpt", table(contents(entries, []))
    yield "restarts-too-many.ckpt", table(contents(entries, [0], 2**31))
    yield "restart-between-entries.ckpt", table(contents(entries, [0, 3]))
    yield "restart-twice.ckpt", table(contents(entries, [0, 0]))
    yield "entry-beyond-block.ckpt", table(contents([varint(0) + varint(0) + varint(1000)]))
    yield "entry-incomplete.ckpt", table(contents([b"\x80"]))
    yield "key-shares-too-much.ckpt", table(contents([entries[0], entry(rows[1][0], rows[1][1], 5)]))
    yield "key-too-long.ckpt", table(contents([entries[0], entry(b"\0" + b"k" * 20000, b"")]))
    yield "keys-equal.ckpt", table(contents([entries[0], entries[1], entries[1]]))
    yield "keys-out-of-order.ckpt", table(contents([entries[1], entries[0]]))


def slices():
    ten = "t" * 5000
    half = struct.pack("<2f", 1, 2)
    yield "list-missing.ckpt", table(contents([entry(*saved("a", WHOLE, FOUR))]))
    yield "list-empty-file.ckpt", table(contents([]), handles=[])
    yield "list-malformed.ckpt", table(contents([entry(b"", b"\x0a\x7f")]))
    yield "list-group.ckpt", v1([b"\x0b\x0c"])
    yield "record-without-slice.ckpt", table(contents([entry(b"", text(1, listed("a", [4]))), entry(b"\0a", b"")]))
    yield "values-missing.ckpt", v1([listed("a", [4])])
    yield "values-too-few.ckpt", v1([listed("a", [5])], saved("a", WHOLE, FOUR))
    yield "values-too-many.ckpt", v1([listed("a", [3])], saved("a", WHOLE, FOUR))
    yield "values-incomplete.ckpt", v1([listed("a", [3])], saved("a", WHOLE, FOUR[:-1]))
    yield "shape-of-gigabytes.ckpt", v1([listed("a", [2**33])], saved("a", WHOLE, FOUR))
    yield "shape-overflow.ckpt", v1([listed("a", [2**40, 2**40])], saved("a", WHOLE * 2, FOUR))
    yield "shape-negative.ckpt", v1([listed("a", [-4])], saved("a", WHOLE, FOUR))
    yield "shape-rank-9.ckpt", v1([listed("a", [1] * 9)], saved("a", WHOLE * 8, FOUR))
    yield "shape-unknown-rank.ckpt", v1([text(1, text(1, "a") + text(2, number(3, 1)) + number(3, 1))])
    yield "name-missing.ckpt", v1([listed("", [4])], saved("", WHOLE, FOUR))
    yield "name-too-long.ckpt", v1([listed(ten, [4])], saved(ten, WHOLE, FOUR))
    yield "name-not-utf8.ckpt", v1([text(1, text(1, b"\xc0\xaf") + text(2, shape_proto([4])) + number(3, 1))])
    yield "name-with-escape.ckpt", v1([listed("a\x1b[31m", [4])], saved("a\x1b[31m", WHOLE, FOUR))
    yield "name-twice.ckpt", v1([listed("a", [4]), listed("a", [4])], saved("a", WHOLE, FOUR))
    yield "slice-under-wrong-key.ckpt", v1([listed("a", [4])], saved("a", WHOLE, FOUR, ordered("b", WHOLE)))
    yield "slice-of-other-rank.ckpt", v1([listed("a", [2, 2])], saved("a", WHOLE, FOUR))
    yield "slice-outside.ckpt", v1([listed("a", [4])], saved("a", [(2, 4)], FOUR))
    yield "slices-overlap.ckpt", v1([listed("a", [4])], saved("a", [(0, 2)], half), saved("a", [(1, 2)], half))
    yield "slices-with-gap.ckpt", v1([listed("a", [5])], saved("a", [(0, 2)], half), saved("a", [(3, 2)], half))
    yield "slice-beside-whole.ckpt", v1([listed("a", [4])], saved("a", WHOLE, FOUR), saved("a", [(0, 2)], half))
    yield "slices-of-gigabytes.ckpt", v1([listed("a", [2**20, 2**13])], saved("a", [(0, 1), (0, 4)], FOUR))


# ---- bundles ----

def row(dims, size, offset=0, shard=0, kind=FLOAT, checksum=None, pieces=()):
    out = number(1, kind) + text(2, shape_proto(dims))
    out += number(3, shard) + number(4, offset) + number(5, size)
    if checksum is not None:
        out += varint(6 << 3 | 5) + checksum
    return out + b"".join(text(7, slice_proto(piece)) for piece in pieces)


def bundle(*records, header=None):
    header = number(1, 1) + text(3, number(1, 1)) if header is None else header
    return table(contents([entry(b"", header)] + [entry(*record) for record in records]))


def bundles():
    good = masked(FOUR)
    first, second = [(0, 2)], [(2, 2)]
    half = row([2], 8, checksum=masked(FOUR[:8]))
    whole = (b"a", row([4], 16, checksum=good))
    strings = varint(2**62) + varint(2**62) + b"abcd"
    cases = {
        "big-endian": (bundle(whole, header=number(1, 1) + number(2, 1)), FOUR),
        "header-missing": (table(contents([entry(b"", b"\x08"), entry(*whole)])), FOUR),
        "no-data-files": (bundle(whole, header=number(1, 0)), FOUR),
        "too-many-data-files": (bundle(whole, header=number(1, 2**31)), FOUR),
        "data-file-missing": (bundle(whole), None),
        "data-file-of-two-missing": (bundle(whole, header=number(1, 2)), None),
        "data-cut-short": (bundle(whole), FOUR[:9]),
        "tensor-checksum": (bundle(whole), FOUR[::-1]),
        "tensor-without-checksum": (bundle((b"a", row([4], 16))), FOUR),
        "tensor-in-other-data-file": (bundle((b"a", row([4], 16, shard=1, checksum=good))), FOUR),
        "tensor-offset-overflow": (bundle((b"a", row([4], 16, offset=2**64 - 8, checksum=good))), FOUR),
        "tensor-size-not-its-shape": (bundle((b"a", row([3], 16, checksum=good))), FOUR),
        "tensor-of-gigabytes": (bundle((b"a", row([2**40], 16, checksum=good))), FOUR),
        "tensors-overlap": (bundle(whole, (b"b", whole[1])), FOUR),
        "entry-malformed": (bundle((b"a", b"\x08")), FOUR),
        "strings-of-gigabytes": (bundle((b"a", row([2], len(strings), kind=STRING, checksum=good))), strings),
        "strings-too-many": (bundle((b"a", row([2**50], 4, kind=STRING, checksum=good))), FOUR),
        "slices-missing": (bundle((b"a", row([4], 0, pieces=[first, second]))), FOUR),
        "slice-missing": (bundle((ordered("a", first), half), (b"a", row([4], 0, pieces=[second]))), FOUR),
        "slice-twice": (bundle((ordered("a", first), half), (ordered("a", second), row([2], 8, 8, checksum=masked(
            FOUR[8:]))), (b"a", row([4], 0, pieces=[first, first]))), FOUR),
        "slice-of-other-type": (bundle((ordered("a", first), row([2], 16, kind=DOUBLE, checksum=good)),
                                       (b"a", row([2], 0, pieces=[first]))), FOUR),
    }
    for name, (index, data) in cases.items():
        yield f"bundle-{name}.index", index
        if data is not None:
            yield f"bundle-{name}.data-00000-of-00001", data
    yield "bundle-without-its-ending", bundle(whole)


# ---- Caffe ----

def caffe_blob(dims, values=FOUR):
    return text(7, text(1, b"".join(map(varint, dims)))) + text(5, values)


def caffe(*blobs, name="conv"):
    return text(1, "Net") + text(100, text(1, name) + b"".join(text(7, blob) for blob in blobs))


def caffes():
    good = caffe(caffe_blob([4]))
    old = b"".join(number(i + 1, size) for i, size in enumerate((1, 1, 2, 3)))
    yield "cut-short.caffemodel", good[:-3]
    yield "without-weights.caffemodel", text(1, "Net") + text(100, text(1, "data"))
    yield "layer-without-name.caffemodel", caffe(caffe_blob([4]), name="")
    yield "layer-twice.caffemodel", good + good
    yield "layer-name-too-long.caffemodel", caffe(caffe_blob([4]), name="n" * 4092)
    yield "layer-name-much-too-long.caffemodel", caffe(caffe_blob([4]), name="n" * 10000)
    yield "layer-malformed.caffemodel", text(1, "Net") + text(100, b"\x0a\x7f")
    yield "blob-without-shape.caffemodel", caffe(text(5, FOUR))
    yield "blob-with-too-few.caffemodel", caffe(caffe_blob([5]))
    yield "blob-with-part-of-a-float.caffemodel", caffe(caffe_blob([4], FOUR + b"\0"))
    yield "blob-of-old-with-too-few.caffemodel", caffe(old + text(5, FOUR))
    yield "blob-of-old-negative.caffemodel", caffe(number(1, -1) + number(2, -4) + text(5, FOUR))
    yield "blob-of-gigabytes.caffemodel", caffe(caffe_blob([2**31, 1]))
    yield "blob-shape-overflow.caffemodel", caffe(caffe_blob([2**32, 2**32]))
    yield "blob-shape-incomplete.caffemodel", caffe(text(7, text(1, b"\x80")) + text(5, FOUR))
    yield "blob-rank-9.caffemodel", caffe(caffe_blob([4] + [1] * 8))


# ---- safetensors ----

def safe(rows, data=FOUR, size=None):
    header = rows.encode() if isinstance(rows, str) else json.dumps(rows, ensure_ascii=False).encode()
    return struct.pack("<Q", len(header) if size is None else size) + header + data


def tensor(dims, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": dims, "data_offsets": [begin, end]}


def safetensors():
    good = {"a": tensor([4], 0, 16)}
    one = json.dumps(tensor([2], 0, 8))
    yield "cut-short.safetensors", safe(good)[:-1]
    yield "header-beyond-end.safetensors", safe(good, size=5000)
    yield "header-too-large.safetensors", safe(good, size=2**32)
    yield "header-cut.safetensors", safe(good, size=9)
    yield "header-not-utf8.safetensors", safe("{\"a\":").replace(b"a", b"\xff")
    yield "header-nested-deep.safetensors", safe("{\"a\":" + "[" * 5000)
    yield "name-twice.safetensors", safe(f'{{"a":{one},"a":{one}}}')
    yield "name-missing.safetensors", safe({"": tensor([4], 0, 16)})
    yield "name-with-escape.safetensors", safe({"\x1b[31m": tensor([4], 0, 16)})
    yield "gap-before.safetensors", safe({"a": tensor([3], 4, 16)})
    yield "gap-between.safetensors", safe({"a": tensor([1], 0, 4), "b": tensor([2], 8, 16)})
    yield "gap-after.safetensors", safe({"a": tensor([3], 0, 12)})
    yield "overlap.safetensors", safe({"a": tensor([3], 0, 12), "b": tensor([2], 8, 16)})
    yield "offsets-reversed.safetensors", safe({"a": tensor([4], 16, 0)})
    yield "offsets-negative.safetensors", safe({"a": tensor([4], -16, 0)})
    yield "offsets-beyond-end.safetensors", safe({"a": tensor([5], 0, 20)})
    yield "offsets-too-large.safetensors", safe('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,99999999999999999999]}}')
    yield "offsets-three.safetensors", safe('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16,16]}}')
    yield "shape-not-its-size.safetensors", safe({"a": tensor([5], 0, 16)})
    yield "shape-negative.safetensors", safe({"a": tensor([-2, -2], 0, 16)})
    yield "shape-overflow.safetensors", safe({"a": tensor([2**62, 4, 4], 0, 16)})
    yield "shape-not-whole.safetensors", safe({"a": tensor([4.5], 0, 16)})
    yield "shape-rank-9.safetensors", safe({"a": tensor([1] * 8 + [4], 0, 16)})
    yield "metadata-not-text.safetensors", safe(dict(good, __metadata__={"labels": 3}))
    yield "metadata-list.safetensors", safe(dict(good, __metadata__=["labels"]))
    yield "row-not-an-object.safetensors", safe({"a": [1]})


def others():
    yield "empty", b""
    yield "one-byte", b"\0"
    yield "text", b"not weights at all\n"
    yield "state-without-path/checkpoint", b'all_model_checkpoint_paths: "model"\n'
    yield "state-of-nothing/checkpoint", b'model_checkpoint_path: "model.ckpt-1"\n'
    yield "state-empty-path/checkpoint", b'model_checkpoint_path: ""\n'
    yield "state-open-string/checkpoint", b'model_checkpoint_path: "model'
    yield "state-zero-in-path/checkpoint", b'model_checkpoint_path: "model\\0.ckpt"\n'
    yield "state-of-itself/checkpoint", b'model_checkpoint_path: "."\n'
    yield "state-binary/checkpoint", bytes(range(256))


def main():
    count = 0
    for maker in (tables, slices, bundles, caffes, safetensors, others):
        for name, data in maker():
            path = os.path.join(FOLDER, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
            count += 1
    print(f"{FOLDER}: {count} files")


if __name__ == "__main__":
    main()
