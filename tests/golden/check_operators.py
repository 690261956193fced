"""Training of single operators, losses and optimisers against TensorFlow itself, on random and odd shapes.

Tolerance: gradients 1e-5 of the variable's largest one, or of 1 where all are small, because they are float32 sums of
hundreds of products of the order of 1. Moving statistics and losses 1e-6. Optimisers 1e-6 over 20 steps."""
import os
import random

import numpy as np

from oracle import BUILD, Tap, formula, run

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import tensorflow as tf  # noqa: E402

PADDINGS = {0: "VALID", 1: "SAME"}
BATCH, DECAY, PHOTOS, CLASSES = 3, 0.9, 6, 5
SIDES, CHANNELS = [1, 2, 3, 5, 8, 11], [1, 3, 8, 15, 16, 17, 32, 40]
KERNELS = [(1, 1), (3, 3), (5, 5), (7, 7), (1, 7), (7, 1), (1, 3), (3, 1)]
tap, chance = Tap(), random.Random(7)


def numbers(name, *shape):
    """In [-1, 1)."""
    return (np.float32(10) * formula(name, (int(np.prod(shape)),))).reshape(shape)


def ours(*words):
    """What the program prints: rows of name and values."""
    rows = [line.split(" ") for line in run(os.path.join(BUILD, "tests", "operators"), *words).splitlines()]
    return [(row[0], np.array([float(w) for w in row[1:]])) for row in rows]


class Net:
    """The layers in TensorFlow; variables are called as the program calls them."""

    def __init__(self, words, own):
        self.words, self.own, self.variables, self.moving = words, own, {}, {}

    def variable(self, count, kind, *shape):
        name = f"{count}/{kind}"
        store = self.moving if "moving" in kind else self.variables
        if name not in store:
            store[name] = tf.Variable(formula(name, shape))
        return store[name]

    def norm(self, x, count, gamma):
        c = x.shape[3]
        g = self.variable(count, "gamma", c) if gamma else tf.ones([c])
        count += gamma
        beta = self.variable(count, "beta", c)
        mean, variance = (self.variable(count + 1 + i, f"moving_{kind}", c) for i, kind in enumerate(("mean", "variance")))
        y, batch_mean, batch_variance = tf.compat.v1.nn.fused_batch_norm(
            x, g, beta, None if self.own else mean, None if self.own else variance, epsilon=0.001, is_training=self.own)
        if self.own:
            for moving, batch in ((mean, batch_mean), (variance, batch_variance)):
                moving.assign_sub((moving - batch) * (1 - DECAY))
        return y, count + 3

    def run(self):
        x, count, fork, ends = None, 0, None, []
        for word in self.words:
            kind, *a = word.split(":")
            a = [float(v) if "." in v else int(v) for v in a]
            if kind == "input":
                x = tf.constant(numbers("input", BATCH, *a))
            elif kind == "conv":
                kh, kw, stride, padding, out, bias = a
                if padding == 2:  # Caffe's
                    padding = [[0, 0], [kh // 2] * 2, [kw // 2] * 2, [0, 0]]
                else:
                    padding = PADDINGS[padding]
                x = tf.nn.conv2d(x, self.variable(count, "weights", kh, kw, x.shape[3], out), stride, padding)
                count += 1
                if bias:
                    x += self.variable(count, "biases", out)
                    count += 1
            elif kind == "depthwise":
                k, stride, padding, multiplier = a
                weights = self.variable(count, "depthwise_weights", k, k, x.shape[3], multiplier)
                x = tf.nn.depthwise_conv2d(x, weights, [1, stride, stride, 1], PADDINGS[padding])
                count += 1
            elif kind == "norm":
                x, count = self.norm(x, count, a[0])
            elif kind == "relu":
                x = tf.nn.relu(x)
            elif kind in ("max", "avg"):
                x = (tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d)(x, a[0], a[1], PADDINGS[a[2]])
            elif kind == "lrn":
                x = tf.nn.local_response_normalization(x, 2, 1.0, a[0] / 5, 0.75)
            elif kind == "fork":
                fork, ends = x, []
            elif kind == "next":
                ends.append(x)
                x = fork
            elif kind == "join":
                x = tf.concat(ends + [x], 3)
            elif kind == "add":
                x = fork + a[0] * x
        return x


def check_net(what, own, words):
    net = Net(words, own)
    with tf.GradientTape() as tape:
        y = net.run()
        loss = tf.reduce_sum(y * numbers("pull", *y.shape))
    wanted = dict(zip(net.variables, tape.gradient(loss, list(net.variables.values()))))
    worst, names = 0.0, set()
    for name, got in ours("net", BATCH, "batch" if own else "moving", *words):
        names.add(name)
        right = (net.moving[name] if name in net.moving else wanted[name]).numpy().ravel()
        largest = max(np.abs(right).max(), 1)
        worst = np.maximum(worst, np.abs(got - right).max() / largest * (10 if name in net.moving else 1))
    same = names == set(net.variables) | set(net.moving)
    tap.ok(same and worst <= 1e-5, f"{what}, {'batch' if own else 'moving'} statistics: {' '.join(words)} ({worst:.1e})")


def some(values):
    return chance.choice(values)


def begin():
    """A photo and a first convolution, whose weights show the gradient of what lies behind."""
    return [f"input:{some(SIDES)}:{some(SIDES)}:3", f"conv:1:1:1:1:{some(CHANNELS)}:1"]


def check_nets():
    for _ in range(25):
        kh, kw = some(KERNELS)
        check_net("convolution", False, begin() + [f"conv:{kh}:{kw}:{some([1, 2])}:{some([1, 1, 2])}:{some(CHANNELS)}:{some([0, 1])}"])
    for _ in range(5):
        check_net("convolution of a photo", False, [f"input:11:9:3", f"conv:{some([3, 5, 7])}:3:2:{some([0, 1])}:{some(CHANNELS)}:1"])
        check_net("separable convolution", False, ["input:9:12:3", f"depthwise:{some([3, 7])}:{some([1, 2])}:1:{some([1, 8])}",
                                                   f"conv:1:1:1:1:{some(CHANNELS)}:1", "relu"])
    for own in [False, True] * 8:
        check_net("batch norm", own, [w[:-1] + "0" if w[0] == "c" else w for w in begin()]
                  + [f"norm:{some([0, 1])}"] + some([[], ["relu"]]) + ["conv:1:1:1:1:16:0"])
    for _ in range(20):
        check_net("pool", False, begin() + [f"{some(['max', 'avg'])}:{some([2, 3])}:{some([1, 2])}:1"])
    for _ in range(6):
        check_net("local response normalisation", False, begin() + [f"lrn:{some(['0.0001', '0.5'])}"])
    for own in [False, True] * 4:
        branch = [f"conv:1:1:1:1:{some(CHANNELS)}:0", "norm:0", "relu", f"conv:3:3:1:1:{some(CHANNELS)}:0", "norm:0", "relu"]
        check_net("branches", own, begin() + ["fork"] + branch[:3] + ["next"] + branch + ["next", "max:3:1:1", "join",
                                                                                           "conv:1:1:1:1:17:1"])
        check_net("residual", own, begin()[:1] + ["conv:3:3:1:1:24:1", "fork"] + branch + ["conv:1:1:1:1:24:1", "add:0.17",
                                                                                          "relu", "conv:1:1:1:1:5:1"])


def check_losses():
    labels = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2, 3, 4, 0]]
    several = np.maximum(labels, np.roll(labels, 1, 1))
    logits = tf.constant(numbers("logits", PHOTOS, CLASSES))
    for kind, smoothing, weighting in [(k, s, w) for k in ("softmax", "sigmoid") for s in (0, 0.1) for w in ("even", "odd")]:
        weights = np.array([1, 0.5, 0, 2, 1, 3], np.float32) if weighting == "odd" else np.ones(PHOTOS, np.float32)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = tf.compat.v1.losses
            if kind == "softmax":
                loss = losses.softmax_cross_entropy(labels, logits, weights, label_smoothing=smoothing)
            else:
                loss = losses.sigmoid_cross_entropy(several, logits, weights[:, None], label_smoothing=smoothing)
        got = dict(ours("loss", kind, smoothing, weighting))
        off = np.maximum(abs(got["loss"][0] - float(loss)), np.abs(got["gradient"] - tape.gradient(loss, logits).numpy().ravel()).max())
        tap.ok(off <= 1e-6, f"{kind} cross entropy, smoothing {smoothing}, {weighting} weights ({off:.1e})")


def check_optimisers():
    train = tf.compat.v1.train
    rules = [("rmsprop", 0.05, 1.0, lambda r, e: train.RMSPropOptimizer(r, 0.9, 0.9, e)),
             ("rmsprop", 0.01, 0.01, lambda r, e: train.RMSPropOptimizer(r, 0.9, 0.9, e)),
             ("momentum", 0.05, 0.0, lambda r, e: train.MomentumOptimizer(r, 0.9)),
             ("adam", 0.05, 1.0, lambda r, e: train.AdamOptimizer(r, 0.9, 0.999, e)),
             ("adam", 0.01, 0.001, lambda r, e: train.AdamOptimizer(r, 0.9, 0.999, e))]
    labels = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2, 3, 4, 0]]
    global BATCH
    BATCH = PHOTOS
    for name, rate, epsilon, make in rules:
        got = ours("optimise", name, rate, epsilon, 20)
        net, optimiser, worst = Net(["input:6:6:3", "conv:3:3:2:1:8:1", "relu", "conv:3:3:1:0:5:1"], False), make(rate, epsilon), 0.0
        for _ in range(20):
            with tf.GradientTape() as tape:
                logits = tf.reshape(net.run(), [PHOTOS, CLASSES])
                loss = tf.compat.v1.losses.softmax_cross_entropy(labels, logits, label_smoothing=0.1)
                loss += sum(4e-5 * tf.nn.l2_loss(v) for n, v in net.variables.items() if n.endswith("weights"))
            optimiser.apply_gradients(zip(tape.gradient(loss, list(net.variables.values())), net.variables.values()))
            for variable in net.variables.values():
                worst = np.maximum(worst, np.abs(got.pop(0)[1] - variable.numpy().ravel()).max())
        tap.ok(worst <= 1e-6, f"{name}, rate {rate}, epsilon {epsilon}: 20 steps ({worst:.1e})")


check_nets()
check_losses()
check_optimisers()
tap.done()
