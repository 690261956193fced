"""Training of whole networks: gradients of every variable, losses and three steps of RMSProp, against what TensorFlow
computed from TF-Slim's own definitions (../shared/golden), for weights from a formula.

Tolerance: what two builds of TensorFlow show between themselves (noise.tsv). Losses before the first step to 1e-5 (moving
statistics) and 1e-3 (batch statistics); of the differences of the gradients' norms, and of their values, the median and
the 90 % quantile, of the norms also the largest, at most three times those. Batch statistics of eight photos are
ill-conditioned: rounding grows from layer to layer, and from step to step."""
import os

import numpy as np

from oracle import BUILD, Tap, data, run

NETS = ["v1", "v2", "v3", "v4", "resnet_v2"]
LABELS = [0, 3, 1, 4, 2, 2, 0, 1]
tap = Tap()


def rows(*path):
    """The rows of a table as lists of texts, without the first."""
    with open(data(*path)) as file:
        return [line.rstrip("\n").split("\t") for line in file][1:]


def noise():
    """(network, kind) -> what two builds of TensorFlow differ by."""
    out = {}
    for row in rows("golden", "noise.tsv"):
        norms, values, losses = [float(x) for x in row[2:5]], [float(x) for x in row[6:8]], row[8].split(" ")
        out[row[0], row[1].split(" ")[0]] = norms, values, [float(x) for x in losses]
    return out


def train(net, kind, steps):
    """What the program prints: losses, gradients, variables."""
    folder = data("photos", "article")
    photos = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".jpg")][:8]
    words = [word for pair in zip(photos, LABELS) for word in pair]
    losses, tables = [], {"gradient": {}, "variable": {}}
    for line in run(os.path.join(BUILD, "tests", "gradients"), net, 5, kind, steps, *words).splitlines():
        words = line.split(" ")
        if words[0] == "loss":
            losses.append([float(w) for w in words[1:]])
        else:
            tables[words[0]][words[1]] = [float(w) for w in words[2:]]
    return losses, tables["gradient"], tables["variable"]


def check_losses(net, kind, got, wanted, differ):
    for step, (ours, row) in enumerate(zip(got, wanted)):
        theirs = float(row[1])
        limit = (1e-5 if kind == "moving" else 1e-3) if step == 0 else 3 * differ[step]
        off = abs(ours[0] - theirs) / theirs
        tap.ok(off <= limit, f"{net}, {kind} statistics: loss after {step} steps ({off:.1e}, at most {limit:.1e})")


def check_gradients(net, kind, got, wanted, norms, values):
    tap.ok(sorted(got) == sorted(row[0] for row in wanted), f"{net}, {kind} statistics: {len(wanted)} variables are trained")
    of_norms, of_values = [], []
    for name, _, norm, first in wanted:
        ours, first = got.get(name, [0] * 5), np.array([float(x) for x in first.split(" ")])
        of_norms.append(abs(ours[0] - float(norm)) / float(norm))
        largest = np.abs(first).max()
        if largest > 0:
            of_values += list(np.abs(np.array(ours[1:]) - first) / largest)
    for what, off, limit in [
        ("norms, median", np.median(of_norms), norms[0]), ("norms, 90 %", np.quantile(of_norms, 0.9), norms[1]),
        ("norms, largest", max(of_norms), norms[2]), ("values, median", np.median(of_values), values[0]),
        ("values, 90 %", np.quantile(of_values, 0.9), values[1])]:
        tap.ok(off <= 3 * limit, f"{net}, {kind} statistics: gradients' {what} ({off:.1e}, at most {3 * limit:.1e})")


for net in NETS:
    if not os.path.exists(data("golden", f"{net}_gradients_frozen.tsv")):
        tap.skip(f"{net}: gradients", "no test data")
        continue
    for kind, file, steps in [("moving", "frozen", 0), ("batch", "batch", 3)]:
        losses, gradients, variables = train(net, kind, steps)
        norms, values, differ = noise()[net, kind]
        wanted = rows("golden", f"{net}_training_{file}.tsv")
        check_losses(net, kind, losses, wanted[:steps + 1], differ)
        check_gradients(net, kind, gradients, rows("golden", f"{net}_gradients_{file}.tsv"), norms, values)
tap.done()
