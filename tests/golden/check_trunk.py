"""Google's real Inception V3 of December 2015 up to Mixed_7a, as tools/inception_v3_2015.py writes it, against TF-Slim's
definition run by TensorFlow. Whom of 2015 is who in TF-Slim is found here from the variables' listing once more.

Tolerance: 1e-4 of the largest value, as for logits."""
import os
import sys
import tempfile

import numpy as np

from oracle import COMMAND, ROOT, Tap, data, features, listing, read_model_file, run, write_checkpoints

PHOTOS = ["bison", "sombrero", "basketball_game", "squirrel"]
tap = Tap()
if not os.path.exists(data("weights", "inception_v3_2015", "manifest.tsv")):
    tap.skip("the trunk of 2015 against TensorFlow", "no test data")
    tap.done()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # noqa: E402
import tf_slim  # noqa: E402
from tf_slim.nets import inception_v3  # noqa: E402

STEM = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
BLOCKS = ["Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a"]

def scopes():
    """Old name -> TF-Slim scope: layers of a branch come in the order of their scope names."""
    convs = sorted(n[len("InceptionV3/"):-len("/weights")] for n in listing("v3") if n.endswith("/weights"))
    names = {f"conv{f'_{i}' if i else ''}": scope for i, scope in enumerate(STEM)}
    for i, block in enumerate(BLOCKS):
        towers = {3: ["", "tower"], 8: ["tower", "tower_1"]}.get(i, ["", "tower", "tower_1", "tower_2"])
        for branch, tower in enumerate(towers):
            inside = [c for c in convs if c.startswith(f"{block}/Branch_{branch}/")]
            # 0a, 0b ... before 1a, whatever stands around them in the name
            inside.sort(key=lambda c: [part for part in c.split("/")[-1].split("_") if len(part) == 2][0])
            for k, scope in enumerate(inside):
                old = f"mixed{f'_{i}' if i else ''}_" + (tower + "_" if tower else "") + "conv" + (f"_{k}" if k else "")
                names[old] = scope
    return names

tensors = {}
used = 0
for old, scope in scopes().items():
    full = f"InceptionV3/{scope}"
    kh, kw, i, o = listing("v3")[full + "/weights"]
    weights = np.fromfile(data("weights", "inception_v3_2015", f"weights_{old}.dat"), np.float32)
    bias = np.fromfile(data("weights", "inception_v3_2015", f"bias_{old}.dat"), np.float32)
    tensors[full + "/weights"] = weights.reshape(o, kh, kw, i).transpose(1, 2, 3, 0)
    tensors[full + "/BatchNorm/beta"] = bias
    tensors[full + "/BatchNorm/moving_mean"] = np.zeros(o, np.float32)
    tensors[full + "/BatchNorm/moving_variance"] = np.full(o, 0.999, np.float32)
    used += 1
tap.ok(used == 76, f"{used} convolutions of the trunk found")

with tempfile.TemporaryDirectory() as folder:
    checkpoint, trunk = os.path.join(folder, "v3"), os.path.join(folder, "trunk.safetensors")
    write_checkpoints(tensors, v2=checkpoint)
    run(sys.executable, os.path.join(ROOT, "tools", "inception_v3_2015.py"), data("weights", "inception_v3_2015"), trunk)
    written = read_model_file(trunk)
    tap.ok(written.keys() == tensors.keys() and all(np.array_equal(written[n], t) for n, t in tensors.items()),
           f"the tool writes these {len(tensors)} variables")
    graph = tf.Graph()
    with graph.as_default():
        placeholder = tf.compat.v1.placeholder(tf.float32, [1, 299, 299, 3])

        with tf_slim.arg_scope(inception_v3.inception_v3_arg_scope()):
            _, ends = inception_v3.inception_v3(placeholder, num_classes=1001, is_training=False)
        session = tf.compat.v1.Session(graph=graph)
        known = [v for v in tf.compat.v1.global_variables() if v.op.name in tensors]
        tf.compat.v1.train.Saver(known).restore(session, checkpoint)
    for name in PHOTOS:
        photo, npy = data("photos", "article", f"{name}.jpg"), f"{folder}/{name}.npy"
        run(COMMAND, "prepare", "-n", "v3", "--no-orient", "--strip-alpha", "-o", npy, photo)
        wanted = session.run(ends["Mixed_7a"], {placeholder: np.load(npy)}).ravel()
        got = features(trunk, [photo], "Mixed_7a")[0]
        difference = np.abs(got - wanted).max() / np.abs(wanted).max()
        tap.ok(difference <= 1e-4, f"Mixed_7a of {name} ({difference:.1e} of the largest)")
        if "avx512_bf16" not in open("/proc/cpuinfo").read():
            tap.skip(f"bf16: Mixed_7a of {name}", "no instructions for it")
            continue
        half = features(trunk, [photo], "Mixed_7a", "--precision", "bf16")[0]
        cosine = np.dot(half, wanted) / np.linalg.norm(half) / np.linalg.norm(wanted)
        tap.ok(0.9995 <= cosine < 1 - 1e-9, f"bf16: Mixed_7a of {name} (cosine {cosine:.6f})")  # the product's promise
tap.done()
