"""Event files: what the library writes is read by TensorFlow's summary_iterator and listed by TensorBoard. Scalars,
histograms (against tf.compat.v1.summary.histogram of the same values), pictures and their tags are equal to the last bit;
the graph has TF-Slim's convolutions, joined by the same operations to the same convolutions, of the same shapes.

From the project's root: python tests/golden/check_events.py [BUILD]"""
import ctypes
import glob
import os
import tempfile
import time

import numpy as np

from oracle import BUILD, Tap, listing

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # noqa: E402
import tf_slim  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from tf_slim.nets import inception_v1, inception_v2, inception_v3  # noqa: E402

tf1 = tf.compat.v1
tap = Tap()
random = np.random.default_rng(4711)
library = ctypes.CDLL(os.path.join(BUILD, "libinception.so"))


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("position", ctypes.c_uint64), ("message", ctypes.c_char * 512)]


class Options(ctypes.Structure):
    """Of a model: the network's name; the defaults of all others are 0."""
    _fields_ = [("network", ctypes.c_char_p), ("others", ctypes.c_uint8 * 248)]


class Log:
    """The library's functions for a log."""

    def __init__(self, folder):
        self.folder = folder
        self.log = ctypes.c_void_p(self.call("open", ctypes.c_void_p, folder.encode()))

    def call(self, name, result, *arguments):
        function, error = getattr(library, "inception_events_" + name), Error()
        function.restype = result
        answer = function(*arguments, ctypes.byref(error))
        if error.status:
            raise RuntimeError(error.message.decode())
        return answer

    def add(self, what, tag, step, *arguments):
        self.call("add_" + what, ctypes.c_int, self.log, tag.encode(), ctypes.c_int64(step), *arguments)

    def scalar(self, tag, step, value):
        self.add("scalar", tag, step, ctypes.c_double(value))

    def histogram(self, tag, step, values):
        self.add("histogram", tag, step, values.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(values.size))

    def image(self, tag, step, pixels):
        height, width, _ = pixels.shape
        library.inception_image_from_pixels.restype = ctypes.c_void_p
        image = ctypes.c_void_p(library.inception_image_from_pixels(
            pixels.ctypes.data_as(ctypes.c_void_p), width, height, ctypes.c_size_t(width * 3), None))
        self.add("image", tag, step, image)
        library.inception_image_free(ctypes.byref(image))

    def graph(self, network):
        self.call("add_graph", ctypes.c_int, self.log, None, ctypes.byref(Options(network.encode())))

    def close(self):
        library.inception_events_close(ctypes.byref(self.log))
        return glob.glob(os.path.join(self.folder, "*tfevents*"))[0]


def values(events):
    """(tag, step) -> value"""
    return {(value.tag, event.step): value for event in events for value in event.summary.value}


def check_scalars(folder):
    wanted, log, before = {}, Log(folder), time.time()
    for tag in ("loss/total", "learning rate", "größe"):
        for step, value in [(0, 0), (1, 1 / 3), (2**40, -1e30), (-3, 1e300), (4, np.inf), (5, np.nan)]:
            log.scalar(tag, step, value)
            with np.errstate(over="ignore"):
                wanted[tag, step] = np.float64(value).astype(np.float32)
    events = list(tf1.train.summary_iterator(log.close()))
    got = {key: np.float32(value.simple_value) for key, value in values(events).items()}
    tap.ok(events[0].file_version == "brain.Event:2" and len(events) == 1 + len(wanted), "version and records")
    tap.ok(set(got) == set(wanted) and all(got[k].tobytes() == wanted[k].tobytes() for k in wanted), "scalars", got)
    times = [event.wall_time for event in events]
    tap.ok(times == sorted(times) and before - 1 <= times[0] and times[-1] <= time.time(), "times", times)


HISTOGRAMS = {
    "normal": random.normal(0, 1, 100_000),
    "all sizes": np.exp(random.uniform(np.log(1e-15), np.log(1e25), 50_000)) * random.choice([-1, 1], 50_000),
    "positive": random.uniform(0, 1, 1000),
    "negative": -random.uniform(1e-5, 1e-4, 1000),
    "zeros": np.zeros(17),
    "one value": np.array([0.25]),
    "none": np.zeros(0),
    "largest": np.array([-1, 1]) * np.finfo(np.float32).max,
    "half of them zero": np.maximum(random.normal(0, 1, 5000), 0),
    "at the limits": np.array([s * 1e-12 * 1.1**k for k in range(774) for s in (-1, 1)]),
}


def check_histograms(folder):
    arrays = {tag: numbers.astype(np.float32) for tag, numbers in HISTOGRAMS.items()}
    log = Log(folder)
    for step, (tag, numbers) in enumerate(arrays.items()):
        log.histogram(tag, step, numbers)
    got = values(tf1.train.summary_iterator(log.close()))
    for step, (tag, numbers) in enumerate(arrays.items()):
        with tf.Graph().as_default(), tf1.Session() as session:
            text = session.run(tf1.summary.histogram("x", tf.constant(numbers)))
        wanted = tf1.Summary.FromString(text).value[0].histo
        tap.ok(got[tag, step].histo == wanted, f"histogram: {tag} ({len(wanted.bucket)} buckets)",
               f"{got[tag, step].histo}\n{wanted}")


def check_images(folder):
    log = Log(folder)
    pictures = [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in [(1, 1), (17, 240), (299, 299), (5, 3)]]
    for step, pixels in enumerate(pictures):
        log.image("photos/0", step, pixels)
    got = values(tf1.train.summary_iterator(log.close()))
    for step, pixels in enumerate(pictures):
        image = got["photos/0", step].image
        good = (image.height, image.width, image.colorspace) == pixels.shape
        decoded = tf.io.decode_png(image.encoded_image_string).numpy()
        tap.ok(good and np.array_equal(decoded, pixels), f"picture of {image.width} x {image.height}", image.colorspace)


# ---- graphs ----

CONVOLUTIONS = {"Conv2D", "DepthwiseConv2dNative", "MatMul"}
OTHERS = {"FusedBatchNormV3", "BiasAdd", "Relu", "MaxPool", "AvgPool", "ConcatV2"}  # what else is compared
VARIABLES = {"VariableV2", "VarHandleOp"}


def shape_of(node):
    return [d.size for d in node.attr["_output_shapes"].list.shape[0].dim]


def structure(nodes):
    """The variable a convolution multiplies with -> its output's shape, and all ways back to the convolutions before it."""
    by_name = {node.name: node for node in nodes}

    def input_of(node, i):
        return by_name[node.input[i].split(":")[0]]

    def weights(node):
        source = input_of(node, 1)
        while source.op not in VARIABLES:
            source = input_of(source, 0)
        return source.name

    def ways(node):
        if node.op in CONVOLUTIONS:
            return {(weights(node),)}
        if node.op == "Placeholder":
            return {("input",)}
        steps = [((node.op,) if node.op in OTHERS else (), 0)]
        if node.op == "ConcatV2":  # the last is the axis, in TF-Slim's graph
            steps = [((node.op, i), i) for i in range(len(node.input)) if input_of(node, i).op != "Const"]
        return {(*step, *way) for step, i in steps for way in ways(input_of(node, i))}

    return {weights(n): (shape_of(n), ways(input_of(n, 0))) for n in nodes if n.op in CONVOLUTIONS}


def slim(network, scope, size):
    with tf.Graph().as_default() as graph:
        photos = tf1.placeholder(tf.float32, [None, size, size, 3])
        with tf_slim.arg_scope(scope):
            network(photos, num_classes=1001, is_training=False)
        return graph.as_graph_def(add_shapes=True).node


def read_graph(folder, network):
    log = Log(folder)
    log.graph(network)
    events = [event for event in tf1.train.summary_iterator(log.close()) if event.graph_def]
    return tf1.GraphDef.FromString(events[0].graph_def).node


SLIM = {"v1": (inception_v1.inception_v1, inception_v1.inception_v1_arg_scope(), 224),
        "v2": (inception_v2.inception_v2, inception_v2.inception_v2_arg_scope(), 224),
        "v3": (inception_v3.inception_v3, inception_v3.inception_v3_arg_scope(), 299)}


def check_graph(folder, network):
    nodes = read_graph(folder, network)
    names = [node.name for node in nodes]
    known = set(names)
    tap.ok(len(known) == len(names), f"{network}: {len(names)} nodes, each has a name of its own",
           sorted(n for n in known if names.count(n) > 1)[:5])
    lost = [(n.name, i) for n in nodes for i in n.input if i not in known]
    tap.ok(not lost and [n.name for n in nodes if n.op == "Placeholder"] == ["input"], f"{network}: inputs are nodes", lost)
    if network != "googlenet":
        variables = {n.name: tuple(shape_of(n)) for n in nodes if n.op == "VariableV2"}
        wanted = {n: shape for n, shape in listing(network).items() if "AuxLogits" not in n}
        tap.ok(variables == wanted, f"{network}: {len(wanted)} variables", set(variables.items()) ^ set(wanted.items()))
        inside = {n.name for n in nodes if n.op in CONVOLUTIONS and n.name.rsplit("/", 1)[0] + "/" in
                  {v[:v.rindex("/") + 1] for v in wanted}}
        tap.ok(len(inside) == sum(n.op in CONVOLUTIONS for n in nodes), f"{network}: convolutions are with their variables")
    if network in SLIM:
        ours, theirs = structure(nodes), structure(slim(*SLIM[network]))
        theirs = {k: v for k, v in theirs.items() if "AuxLogits" not in k}
        both = sorted(set(ours) | set(theirs))
        off = [f"{k}: {ours.get(k)} {theirs.get(k)}" for k in both if ours.get(k) != theirs.get(k)]
        tap.ok(not off and len(ours) > 50, f"{network}: TF-Slim's {len(theirs)} convolutions", "\n".join(off[:5]))


# ---- the rest ----

def check_cuts(folder):
    """A run that is killed: everything before the record that is cut is read."""
    log = Log(folder)
    ends = []
    for step in range(20):
        log.histogram("x", step, random.normal(0, 1, 100 * step).astype(np.float32))
        ends.append(os.path.getsize(glob.glob(os.path.join(folder, "*"))[0]))
    path = log.close()
    with open(path, "rb") as file:
        whole = file.read()
    off = []
    for cut in [*random.integers(40, len(whole), 100), *ends]:
        with open(path, "wb") as file:
            file.write(whole[:cut])
        steps = []
        try:
            for event in tf1.train.summary_iterator(path):
                steps += [event.step] if event.summary.value else []
        except tf.errors.DataLossError:
            pass
        if steps != [step for step in range(20) if ends[step] <= cut]:
            off.append(f"cut at {cut}: {steps}")
    tap.ok(not off, "files cut at random are read up to the last whole record", "\n".join(off[:5]))


def check_tensorboard(folder):
    log = Log(folder)
    log.scalar("loss", 1, 0.5)
    log.histogram("weights", 1, np.ones(3, np.float32))
    log.image("photo", 1, np.zeros((4, 4, 3), np.uint8))
    log.graph("v1")
    log.close()
    again = Log(folder)  # the run goes on: a second file, which TensorBoard joins to the first
    again.scalar("loss", 2, 0.25)
    again.close()
    board = EventAccumulator(folder)
    board.Reload()
    tags = board.Tags()
    tap.ok((tags["scalars"], tags["histograms"], tags["images"], tags["graph"]) == (["loss"], ["weights"], ["photo"], True),
           "TensorBoard lists the tags", tags)
    tap.ok([(s.step, s.value) for s in board.Scalars("loss")] == [(1, 0.5), (2, 0.25)], "and joins the files of a folder")


CHECKS = [(check_scalars,), (check_histograms,), (check_images,), (check_cuts,), (check_tensorboard,)]
CHECKS += [(check_graph, network) for network in ("v1", "v2", "v3", "v4", "resnet_v2", "googlenet")]
for check, *words in CHECKS:
    with tempfile.TemporaryDirectory() as scratch:
        tap.attempt(check, os.path.join(scratch, "run"), *words)
tap.done()
