"""What the TensorFlow checks share: where things are, the formula's weights, checkpoints written by TensorFlow."""
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from tap import Tap  # noqa: E402,F401

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build"))
DATA = os.path.abspath(os.environ.get("INCEPTION_TEST_DATA", os.path.join(ROOT, "..", "shared")))
COMMAND = os.path.join(BUILD, "inception")
EXACT = ["--no-orient", "--strip-alpha"]  # what TensorFlow does


def data(*parts):
    return os.path.join(DATA, *parts)


def formula(name, shape):
    """The variable called so, filled as golden/README.md says."""
    hash_ = 0xCBF29CE484222325
    for byte in name.encode():
        hash_ = (hash_ ^ byte) * 0x100000001B3 % 2**64
    count = int(np.prod(shape, dtype=np.int64))
    out = np.empty(count, np.float32)
    fan_in = int(np.prod(shape[:-1], dtype=np.int64))
    if "depthwise_weights" in name:
        fan_in = shape[0] * shape[1]
    scale = np.sqrt((24.0 if "ogits" in name else 6.0) / fan_in) if name.endswith("weights") else 0.1
    for first in range(0, count, 1 << 20):  # in pieces: the largest have millions
        last = min(first + (1 << 20), count)
        with np.errstate(over="ignore"):
            z = np.uint64(hash_) + np.arange(first, last, dtype=np.uint64)
            z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        u = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1
        out[first:last] = 1 + 0.5 * u if name.endswith("moving_variance") else scale * u
    return out.reshape(shape)


def listing(net):
    """name -> shape of every variable of a network."""
    with open(data("spec", f"vars_inception_{net}.tsv")) as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return {name: tuple(int(d) for d in dims.split(",")) for name, dims in rows}


def write_checkpoints(tensors, v1=None, v2=None):
    """Has TensorFlow write the tensors as a V1 file and as a V2 prefix."""
    import tensorflow as tf
    names = sorted(tensors)
    if v1:
        tf.raw_ops.Save(filename=v1, tensor_names=names, data=[tf.constant(tensors[n]) for n in names])
    if v2:
        tf.raw_ops.SaveV2(prefix=v2, tensor_names=names, shape_and_slices=[""] * len(names),
                          tensors=[tf.constant(tensors[n]) for n in names])


def read_model_file(path):
    """name -> array"""
    with open(path, "rb") as file:
        raw = file.read()
    size = 8 + struct.unpack("<Q", raw[:8])[0]
    return {name: np.frombuffer(raw[size:][slice(*about["data_offsets"])], np.float32).reshape(about["shape"])
            for name, about in json.loads(raw[8:size]).items() if name != "__metadata__"}


def run(*arguments):
    """The command's standard output; fails with its standard error."""
    done = subprocess.run([str(a) for a in arguments], capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return done.stdout.decode()


def classify(model, photos, *options):
    """One dictionary a photo."""
    out = run(COMMAND, "classify", "-m", model, "--format", "jsonl", *EXACT, *options, *photos)
    return [json.loads(line) for line in out.splitlines()]


def features(model, photos, layer, *words):
    """[photos][values]"""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "features.npy")
        run(COMMAND, "features", "-m", model, "--layer", layer, "-o", out, *EXACT, *words, *photos)
        return np.load(out)


def by_index(result, field):
    values = np.zeros(len(result["predictions"]))
    for p in result["predictions"]:
        values[p["index"]] = p[field]
    return values
