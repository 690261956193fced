"""Whole networks: checkpoints that TensorFlow writes in both formats, weights from a formula, against the logits and
endpoints that TensorFlow computed from TF-Slim's own definitions (../shared/golden).

Tolerance: 1e-4 of the largest logit is the product's promise. Endpoints: 1e-4 of their root mean square."""
import os
import tempfile

import numpy as np

from oracle import BUILD, Tap, by_index, classify, data, formula, listing, run, write_checkpoints

NETS = ["v1", "v2", "v3", "v4", "resnet_v2"]
tap = Tap()


def check_logits(net, results, golden):
    for result, wanted in zip(results, golden):
        logits, photo = by_index(result, "logit"), os.path.basename(result["file"])
        difference = np.abs(logits - wanted).max() / np.abs(wanted).max()
        tap.ok(difference <= 1e-4, f"{net}: logits of {photo} ({difference:.1e} of the largest)")
        order = list(np.argsort(-wanted, kind="stable")[:10])
        tap.ok([p["index"] for p in result["predictions"][:10]] == order, f"{net}: top 10 of {photo} in order")


def check_endpoints(net, checkpoint, photo):
    with open(data("golden", f"{net}_endpoints.tsv")) as file:
        wanted = [line.rstrip("\n").split("\t") for line in file][1:]
    wanted = [row for row in wanted if row[0] != "Predictions"]  # probabilities are made outside the graph
    lines = run(os.path.join(BUILD, "tests", "endpoints"), checkpoint, photo, *[row[0] for row in wanted]).splitlines()
    worst, bad = 0.0, []
    for want, line in zip(wanted, lines):
        got = line.split("\t")
        shape = [d for d in want[1].split(",") if d != "1"]
        rms = float(want[3])
        pairs = list(zip(want[4].split(" "), got[4].split(" "))) + [(want[2], got[2]), (want[3], got[3])]
        off = max(abs(float(a) - float(b)) for a, b in pairs) / rms
        worst = max(worst, off)
        if got[0] != want[0] or off > 1e-4 or [d for d in got[1].split(",") if d != "1"] != shape:
            bad.append(f"{want[0]} {off:.1e}")
    tap.ok(not bad and len(lines) == len(wanted), f"{net}: {len(wanted)} endpoints ({worst:.1e}) {' '.join(bad)}")


for net in NETS:
    if not os.path.exists(data("golden", f"{net}_logits.npy")):
        tap.skip(f"{net}: goldens", "no test data")
        continue
    photos = [data("photos", "article", f"{name}.jpg") for name in ("sombrero", "coffee-mug", "squirrel")]
    tensors = {name: formula(name, shape) for name, shape in listing(net).items()}
    first = sorted(tensors)[0]
    tensors["global_step"] = np.array(4711, np.int64)  # what a training run leaves besides: to be ignored
    tensors[first + "/RMSProp"] = tensors[first] + 1
    tensors[first + "/ExponentialMovingAverage"] = tensors[first] + 2
    with tempfile.TemporaryDirectory() as folder:
        v1, v2 = os.path.join(folder, f"{net}.ckpt"), os.path.join(folder, "model.ckpt-4711")
        write_checkpoints(tensors, v1, v2)
        del tensors
        with open(os.path.join(folder, "checkpoint"), "w") as file:
            file.write('model_checkpoint_path: "model.ckpt-4711"\n')
        results = classify(v1, photos, "-k", "1001")
        check_logits(net, results, np.load(data("golden", f"{net}_logits.npy")))
        tap.ok(classify(v2, photos, "-k", "1001") == results, f"{net}: V1 and V2 checkpoint give the same bits")
        tap.ok(classify(folder, photos[:1], "-k", "1001") == results[:1], f"{net}: folder with a checkpoint file")
        check_endpoints(net, v1, photos[0])
tap.done()
