"""Prepared inputs against TensorFlow, bit for bit: photos, and made pictures of every kind that TensorFlow can decode.

    PYTHON tests/golden/check_prepare.py [BUILD [photos|jpegs|cmyk|pngs|damage...]]

PYTHON has tensorflow-cpu 2.12.1 (any 2.x should do) and numpy; BUILD is the build folder (default build). Photos come from
$INCEPTION_TEST_DATA/photos (default ../shared/photos). JPEGs are made with cjpeg and jpegtran (libjpeg-turbo-progs),
CMYK ones with Pillow; what is not there is skipped by name. PNGs are written here.

The two decoders must agree on damaged files too: which are refused, and the pixels of those that are not.
"""
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402

tap = Tap()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

COMMAND = os.path.join(sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build"), "inception")
PHOTOS = pathlib.Path(os.environ.get("INCEPTION_TEST_DATA", ROOT.parent / "shared")) / "photos"
WORK = pathlib.Path(tempfile.mkdtemp(prefix="check_prepare."))
NETWORKS = {"v3": 299, "v1": 224}


# ---- the two sides ----

def expected(data, side, recover=False):
    """What TF-Slim's evaluation path makes of the bytes; None where TensorFlow refuses them."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            image = tf.io.decode_jpeg(data, channels=3, try_recover_truncated=recover)
        else:
            image = tf.io.decode_png(data, channels=3)
    except tf.errors.InvalidArgumentError:
        return None
    image = tf.image.convert_image_dtype(image, tf.float32)
    image = tf.image.central_crop(image, 0.875)
    image = tf.compat.v1.image.resize_bilinear(image[None], [side, side], align_corners=False)
    return tf.multiply(tf.subtract(image, 0.5), 2.0).numpy()


def actual(path, network, recover=False):
    """What the command makes of the file; None where it refuses it, with the status and the message."""
    out = WORK / "out.npy"
    out.unlink(missing_ok=True)
    line = [COMMAND, "prepare", str(path), "-n", network, "--no-orient", "--strip-alpha", "-o", str(out)]
    run = subprocess.run(line + ["--recover"] * recover, capture_output=True, text=True, errors="replace")
    return (np.load(out) if run.returncode == 0 else None), f"exit {run.returncode}: {run.stderr.strip()}"


def difference(ours, theirs):
    """None if they agree to the last bit, else a sentence."""
    if ours is None or theirs is None:
        return None if ours is theirs else ("TensorFlow refuses it" if theirs is None else "TensorFlow decodes it")
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.shape} {ours.dtype}, TensorFlow {theirs.shape} {theirs.dtype}"
    wrong = np.count_nonzero(ours.view(np.uint32) != theirs.view(np.uint32))
    return f"{wrong} values of {ours.size} differ, largest {np.abs(ours - theirs).max():g}" if wrong else None


def disagreement(data, network, recover=False):
    path = WORK / "photo"
    path.write_bytes(data)
    ours, message = actual(path, network, recover)
    found = difference(ours, expected(data, NETWORKS[network], recover))
    return found and f"{found}; {message}"


def check(name, data):
    for network, side in NETWORKS.items():
        found = disagreement(data, network)
        tap.ok(found is None, f"{name} at {side}", found)


def check_decodes(name, data):
    """The same, and TensorFlow must be able to: a made file that both refuse proves nothing."""
    tap.ok(expected(data, 8) is not None, f"{name}: TensorFlow decodes it")
    check(name, data)


# ---- made pictures ----

def picture(width, height, channels, depth=8):
    """Slopes, waves and noise: something for every coefficient."""
    rng = np.random.default_rng(width * 1000 + height)
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / (5 + c) + c) * np.cos(y / (7 - c)) * 60 + x * 200 / width + rng.normal(0, 12, (height, width))
              for c in range(channels)]
    top = 2 ** depth - 1
    return (np.clip(np.stack(planes, -1), 0, 255) * top / 255).astype(np.uint16 if depth > 8 else np.uint8)


def cjpeg(pixels, *options):
    path = WORK / "made.ppm"
    path.write_bytes(b"P6\n%d %d\n255\n" % pixels.shape[1::-1] + pixels.tobytes())
    return subprocess.run(["cjpeg", *options, str(path)], stdout=subprocess.PIPE, check=True).stdout


def transcode(data, *options):
    return subprocess.run(["jpegtran", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def segments(data):
    """(marker, start, end) of each segment up to the first scan."""
    at = 2
    while data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2:at + 4])[0] + 2
        yield data[at + 1], at, at + length
        at += length


def without(data, marker):
    for found, start, end in reversed(list(segments(data))):
        if found == marker:
            data = data[:start] + data[end:]
    return data


def with_adobe(data, transform):
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
    return data[:2] + adobe + without(without(data, 0xEE), 0xE0)[2:]


def cmyk(pixels, subsampling):
    from io import BytesIO
    from PIL import Image
    out = BytesIO()
    Image.fromarray(pixels, "CMYK").save(out, "JPEG", quality=85, subsampling=subsampling)
    return out.getvalue()


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(samples, colour_type, depth, interlaced=False, extra=()):
    """A PNG of samples [height][width][channels], with `extra` chunks (type, bytes) before the pixels."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def rows(part):
        for row in part:
            values = row.reshape(-1)
            if depth == 16:
                packed = values.astype(">u2").tobytes()
            else:
                bits = np.unpackbits(values.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:]
                packed = np.packbits(bits.reshape(-1)).tobytes()
            yield b"\x00" + packed

    height, width = samples.shape[:2]
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    raw = b"".join(row for part in parts if part.size for row in rows(part))
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*pair) for pair in extra) +
            chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


# ---- the checks ----

def check_photos():
    files = sorted(path for path in PHOTOS.glob("*/*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        tap.skip("photos", f"no {PHOTOS}")
    for path in files:
        check(f"{path.parent.name}/{path.name}", path.read_bytes())


SAMPLINGS = ["1x1", "2x1", "2x2", "1x2", "4x1", "4x2", "1x4", "3x1", "2x2,1x1,2x1", "2x1,1x2,1x1", "1x1,2x2,2x2"]
SIZES = [(1, 1), (1, 40), (40, 1), (15, 17), (16, 16), (33, 31), (299, 299), (341, 342), (500, 375)]


def check_jpegs():
    if not shutil.which("cjpeg") or not shutil.which("jpegtran"):
        tap.skip("made JPEGs", "no cjpeg or no jpegtran")
        return
    photo = picture(203, 157, 3)
    for sampling in SAMPLINGS:
        for way in [], ["-progressive"], ["-restart", "1"]:
            check_decodes(" ".join(["JPEG", sampling, *way]), cjpeg(photo, "-sample", sampling, *way))
        plain = cjpeg(photo, "-sample", sampling)
        ours, theirs = WORK / "arithmetic.jpg", expected(plain, 299)
        for way in [], ["-progressive"]: # TensorFlow reads the same coefficients from its Huffman-coded twin
            ours.write_bytes(transcode(plain, "-arithmetic", *way))
            got, message = actual(ours, "v3")
            found = difference(got, theirs)
            tap.ok(found is None, " ".join(["JPEG arithmetic", sampling, *way]), f"{found}; {message}")
    for width, height in SIZES:
        for sampling in "1x1", "2x1", "2x2", "1x2":
            check_decodes(f"JPEG {width}x{height} {sampling}", cjpeg(picture(width, height, 3), "-sample", sampling))
    check_decodes("JPEG grey", cjpeg(photo, "-grayscale"))
    check_decodes("JPEG grey progressive", cjpeg(photo, "-grayscale", "-progressive"))
    check_decodes("JPEG RGB by Adobe marker", with_adobe(cjpeg(photo, "-rgb"), 0))
    check_decodes("JPEG RGB by component names", without(cjpeg(photo, "-rgb"), 0xEE))
    check_decodes("JPEG YCbCr without any marker", without(cjpeg(photo), 0xE0))
    for quality in "5", "50", "100":
        check_decodes(f"JPEG quality {quality}", cjpeg(photo, "-quality", quality))


def check_cmyk():
    try:
        import PIL  # noqa: F401
    except ImportError:
        tap.skip("CMYK JPEGs", "no Pillow")
        return
    for subsampling in 0, 1, 2:
        data = cmyk(picture(203, 157, 4), subsampling)
        check_decodes(f"JPEG CMYK {subsampling}, Adobe marker", data)
        check_decodes(f"JPEG CMYK {subsampling}, no Adobe marker", without(data, 0xEE))
        check_decodes(f"JPEG YCCK {subsampling}, Adobe marker", with_adobe(data, 2))
        if shutil.which("jpegtran"):
            check_decodes(f"JPEG YCCK {subsampling} progressive", transcode(with_adobe(data, 2), "-progressive"))


KINDS = [(0, 1, (1, 2, 4, 8, 16)), (2, 3, (8, 16)), (3, 1, (1, 2, 4, 8)), (4, 2, (8, 16)), (6, 4, (8, 16))]


def check_pngs():
    rng = np.random.default_rng(7)
    for colour_type, channels, depths in KINDS:
        for depth in depths:
            palette = (b"PLTE", rng.integers(0, 256, 3 * 2 ** min(depth, 8), np.uint8).tobytes())
            first = {0: b"\x00\x01", 2: b"\x00\x01\x00\x02\x00\x03", 3: bytes([0, 128])}.get(colour_type)
            for width, height in (67, 43), (1, 1), (5, 1), (1, 9), (350, 350):
                samples = picture(width, height, channels, depth)
                for interlaced in False, True:
                    for transparency in [None] + [first] * (first is not None):
                        extra = [palette] * (colour_type == 3) + [(b"tRNS", transparency)] * (transparency is not None)
                        name = f"PNG type {colour_type} depth {depth} {width}x{height}"
                        name += " interlaced" * interlaced + " tRNS" * (transparency is not None)
                        check_decodes(name, png(samples, colour_type, depth, interlaced, extra))
    samples = picture(67, 43, 3)
    check_decodes("PNG with gamma", png(samples, 2, 8, False, [(b"gAMA", struct.pack(">I", 100000))]))


def check_damage():
    """Cuts and wrong bytes: the same files refused, the same pixels in the others, with and without --recover."""
    if not shutil.which("cjpeg"):
        tap.skip("damaged files", "no cjpeg")
        return
    rng = random.Random(4)
    photo = picture(120, 90, 3)
    kinds = {"baseline": cjpeg(photo), "4:4:4 restarts": cjpeg(photo, "-sample", "1x1", "-restart", "1"),
             "progressive": cjpeg(photo, "-progressive"), "grey": cjpeg(photo, "-grayscale")}
    for name, data in kinds.items():
        cuts = sorted(rng.sample(range(3, len(data)), 40) + [len(data) - 3, len(data) - 2, len(data) - 1])
        for recover in False, True:
            found = [f"cut at {cut} of {len(data)}: {text}" for cut in cuts
                     if not (recover and data[cut - 1] == 0xFF) # TensorFlow's recovery never returns from these
                     if (text := disagreement(data[:cut], "v1", recover))]
            tap.ok(not found, f"JPEG {name}, {len(cuts)} cuts" + ", --recover" * recover, "\n".join(found))
        found = []
        for _ in range(60):
            wrong = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                wrong[rng.randrange(3, len(wrong))] = rng.randrange(256)
            if text := disagreement(bytes(wrong), "v1"):
                found.append(text)
        tap.ok(not found, f"JPEG {name}, 60 with wrong bytes", "\n".join(found))
    data = png(photo, 2, 8)
    found = [f"cut at {cut}: {text}" for cut in sorted(rng.sample(range(8, len(data)), 40))
             if (text := disagreement(data[:cut], "v1"))]
    tap.ok(not found, "PNG, 40 cuts", "\n".join(found))


CHECKS = {"photos": check_photos, "jpegs": check_jpegs, "cmyk": check_cmyk, "pngs": check_pngs, "damage": check_damage}

try:
    for chosen in sys.argv[2:] or CHECKS:
        CHECKS[chosen]()
finally:
    shutil.rmtree(WORK)
tap.done()
