"""What the tests of the command run on: photos and weights that are made where they are needed."""
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


COLOURS = {"blue": (60, 60, 190), "green": (60, 190, 60), "red": (190, 60, 60)}


def png(width, height, shade=0):
    return png_of(width, height, b"".join(b"\0" + bytes((x * 5 + y * 3 * c + shade) % 256 for x in range(width) for c in range(3))
                                          for y in range(height)))


def picture(colour, seed, size=24):
    """A PNG of noise around a colour."""
    noise = random.Random(seed)
    return png_of(size, size, b"".join(
        b"\0" + bytes(max(0, min(255, int(noise.gauss(c, 40)))) for _ in range(size) for c in colour) for _ in range(size)))


def make_set(folder, counts):
    """A folder of pictures for each colour."""
    for label, count in counts.items():
        os.makedirs(f"{folder}/{label}")
        for i in range(count):
            Path(f"{folder}/{label}/{i}.png").write_bytes(picture(COLOURS[label], f"{label}{i}"))


def model_header(path):
    """What is in front of the tensors of a model file."""
    data = Path(path).read_bytes()
    return json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])


def png_of(width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width, height):
    """Mid-grey: two bits a block, the same as before, and nothing else."""
    def segment(marker, data):
        return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data
    codes = [segment(0xC4, bytes([kind, 1]) + bytes(16)) for kind in (0x00, 0x10)]
    blocks = -(-width // 8) * -(-height // 8)
    return (b"\xFF\xD8" + segment(0xDB, b"\0" + b"\1" * 64) + b"".join(codes) +
            segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0") + segment(0xDA, b"\1\1\0\0\x3F\0") +
            bytes(-(-2 * blocks // 8)) + b"\xFF\xD9")


def model(tap):
    """Path of a GoogLeNet, made in the current folder, and None; or None and why there is none."""
    named = os.environ.get("INCEPTION_TEST_MODEL")
    if named:
        return Path(named).resolve(), None
    weights = Path(os.environ.get("INCEPTION_TEST_DATA", ROOT / ".." / "shared")).resolve() / "weights" / "googlenet"
    tool = ROOT / "tools" / "googlenet_caffemodel.py"
    if not weights.exists():
        return None, f"{weights} is not there"
    out = Path("googlenet.caffemodel").resolve()
    made = subprocess.run([sys.executable, str(tool), str(weights), str(out)], capture_output=True)
    if not tap.ok(made.returncode == 0, "GoogLeNet as a caffemodel", made.stderr.decode()):
        return None, "no caffemodel"
    return out, None
