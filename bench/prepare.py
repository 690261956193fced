"""Decoding and preparing a photo against TensorFlow, which does the same to the last bit: milliseconds of one CPU.

    PYTHON bench/prepare.py FOLDER_OF_PHOTOS [BUILD]

PYTHON has tensorflow-cpu 2.12.1, numpy and pillow; BUILD is the build folder (default build). The first JPEG of the folder
is resized to the sizes below and saved at quality 90, 4:2:0. Both sides get the same bytes in memory and are measured in
turn in one process, bound to one CPU, warm, by the CPU time of the process, which other programs disturb least: TensorFlow
as a tf.function of decode_jpeg and TF-Slim's evaluation path, this library through its public functions. A ratio is
TensorFlow's time to ours in the same round; least and largest beside the median. Results that differ in a bit end the run.
"""
import ctypes
import io
import os
import pathlib
import statistics
import sys
import time

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before anything starts a thread
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from PIL import Image  # noqa: E402

SIZES = [((4000, 3000), 1), ((500, 375), 20)]  # and runs in a turn
ROUNDS = 25
SIDES = [224, 299]


def photo_of(folder, size):
    path = sorted(pathlib.Path(folder).glob("**/*.jpg"))[0]
    out = io.BytesIO()
    Image.open(path).convert("RGB").resize(size, Image.LANCZOS).save(out, "JPEG", quality=90, subsampling="4:2:0")
    return out.getvalue()


def tensorflow(data, side):
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def prepare(photo):
        image = tf.image.convert_image_dtype(tf.io.decode_jpeg(photo, channels=3), tf.float32)
        image = tf.image.central_crop(image, 0.875)
        image = tf.compat.v1.image.resize_bilinear(image[None], [side, side], align_corners=False)
        return tf.multiply(tf.subtract(image, 0.5), 2.0)
    photo = tf.constant(data)
    return lambda: prepare(photo)


class Input(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("width", "height", "preprocessing", "crop")]


def ours(library, data, side):
    decode, prepare, free = library.inception_image_decode, library.inception_prepare, library.inception_image_free
    decode.restype = ctypes.c_void_p
    decode.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
    prepare.argtypes = [ctypes.POINTER(Input), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    wanted, out = Input(side, side, 0, 0), np.empty((1, side, side, 3), np.float32)

    def run():
        image = ctypes.c_void_p(decode(data, len(data), None, None, None))
        prepare(wanted, image, out.ctypes.data, None)
        free(ctypes.byref(image))
        return out
    return run


def milliseconds(run, runs):
    began = time.process_time()
    for _ in range(runs):
        run()
    return 1e3 * (time.process_time() - began) / runs


def main():
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    library = ctypes.CDLL(os.path.join(sys.argv[2] if len(sys.argv) > 2 else "build", "libinception.so.0"))
    print("  photo       to  TensorFlow    ours  ratio (least, largest)")
    for size, runs in SIZES:
        data = photo_of(sys.argv[1], size)
        for side in SIDES:
            sides = [tensorflow(data, side), ours(library, data, side)]
            if not np.array_equal(*[np.asarray(run()).view(np.uint32) for run in sides]):
                sys.exit("the two differ")
            times = [[milliseconds(run, runs) for run in sides] for _ in range(ROUNDS + 2)][2:]
            theirs, own = (statistics.median(column) for column in zip(*times))
            ratios = sorted(a / b for a, b in times)
            print(f"{size[0]}x{size[1]:<5} {side:4} {theirs:11.2f} {own:7.2f}  {statistics.median(ratios):5.2f} "
                  f"({ratios[0]:.2f}, {ratios[-1]:.2f})")


main()
