"""Whole networks: checkpoints that TensorFlow writes in both formats, weights from a formula, against the logits and
endpoints that TensorFlow computed from TF-Slim's own definitions (../shared/golden).

Tolerance: 1e-4 of the largest logit is the product's promise. Endpoints: 1e-4 of their root mean square."""
import json
import os
import tempfile

import numpy as np

from oracle import COMMAND, Tap, by_index, classify, data, features, formula, listing, run, write_checkpoints

NETS = ["v1", "v2", "v3", "v4", "resnet_v2"]
tap = Tap()


def check_logits(net, results, golden):
    for result, wanted in zip(results, golden):
        logits, photo = by_index(result, "logit"), os.path.basename(result["file"])
        difference = np.abs(logits - wanted).max() / np.abs(wanted).max()
        tap.ok(difference <= 1e-4, f"{net}: logits of {photo} ({difference:.1e} of the largest)")
        order = list(np.argsort(-wanted, kind="stable")[:10])
        tap.ok([p["index"] for p in result["predictions"][:10]] == order, f"{net}: top 10 of {photo} in order")


def check_endpoints(net, model, photo):
    with open(data("golden", f"{net}_endpoints.tsv")) as file:
        wanted = [line.rstrip("\n").split("\t") for line in file][1:]
    shapes = {row["layer"]: row["shape"] for row in json.loads(run(COMMAND, "features", "-m", model, "--list-layers", "-j"))}
    worst, bad = 0.0, []
    for name, shape, mean, rms, first in wanted:
        got = features(model, [photo], name)[0]
        rms, size = float(rms), [int(d) for d in shape.split(",") if d != "1"]
        pairs = list(zip(map(float, first.split(" ")), got))
        pairs += [(float(mean), got.mean(dtype=np.float64)), (rms, np.sqrt(np.square(got, dtype=np.float64).mean()))]
        off = max(abs(a - b) for a, b in pairs) / rms
        worst = max(worst, off)
        listed = name == "AuxLogits" or [d for d in shapes[name] if d != 1] == size
        if off > 1e-4 or not listed or got.size != np.prod(size):
            bad.append(f"{name} {off:.1e}")
    tap.ok(not bad, f"{net}: {len(wanted)} endpoints ({worst:.1e}) {' '.join(bad)}")


for net in NETS:
    if not os.path.exists(data("golden", f"{net}_logits.npy")):
        tap.skip(f"{net}: goldens", "no test data")
        continue
    photos = [data("photos", "article", f"{name}.jpg") for name in ("sombrero", "coffee-mug", "squirrel")]
    tensors = {name: formula(name, shape) for name, shape in listing(net).items()}
    first = next(name for name in sorted(tensors) if "Conv2d_1a" in name)
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
        shadow = classify(v1, photos[:1], "-k", "1001", "--moving-averages")[0] # of one variable only, two larger
        tap.ok(np.abs(by_index(shadow, "logit") - by_index(results[0], "logit")).max() > 0, f"{net}: moving averages on request")
        saved = os.path.join(folder, "model.safetensors")
        run(COMMAND, "convert", v1, saved)
        check_endpoints(net, saved, photos[0])
tap.done()
