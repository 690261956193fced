"""train on the 1250 flowers with real weights, GoogLeNet's and, cut behind Mixed_7a, Inception V3's of 2015, against
scikit-learn's logistic regression on the same features.

The features are read from the cache file that train leaves, some of them compared with what `inception features` writes;
the split is computed again from its definition. scikit-learn minimises the same function, so with the penalty that train
chose, and the photos that it learns from in the end, the output layer of the model file must reach its minimum, to 1/1000,
and be right as often, but for photos whose two best classes are a twentieth apart: both stop short of the minimum. As people
call it, with C = 1, it must not be right more often over all splits together, whether it learns from the training photos or,
as train does in the end, from the validation photos as well.

Of photos of other things (../shared/photos) at least 80 % must be told to be none of the classes, and of the test's flowers at
most 10 %: by the model that was taught, and by the one that is shipped.

With several labels a photo (what is botanically or to the eye common to some of the classes) there is to be a regression for
each label, with and without weights, as scikit-learn's of the same penalty: the same answers, logits within 0.01 of a
spread of some ten, which is what the two searches leave open. Precision, recall, F1 and average precision are to be
scikit-learn's of these answers.

    check_head.py BUILD [SPLITS]     default: 3; docs/training.md has the figures of 6
"""
import hashlib
import json
import os
import sys
import tempfile
import warnings

import numpy as np

from oracle import BUILD, COMMAND, ROOT, Tap, data, read_model_file, run
from split import hash_of, split_labels

SEEDS = range(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
FLOWERS = data("data", "flowers")
# folder of weights: the tool that makes a file of them, what train is told besides, features, the layer they are the mean of
NETWORKS = {
    "googlenet": ("googlenet_caffemodel.py", [], 1024, "pool5/7x7_s1"),
    "inception_v3_2015": ("inception_v3_2015.py", ["-n", "v3", "--layer", "Mixed_7a"], 1280, "Mixed_7a"),
}
LABELS = {"daisy": "composite|white", "dandelion": "composite|yellow", "sunflower": "composite|yellow|large",
          "tulip": "bulb", "rose": ""}
tap = Tap()
if not os.path.exists(FLOWERS) or not all(os.path.exists(data("weights", name, "manifest.tsv")) for name in NETWORKS):
    tap.skip("train against scikit-learn", "no test data")
    tap.done()
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import average_precision_score, precision_recall_fscore_support  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

warnings.filterwarnings("ignore")  # that the last digits are not reached
threadpool_limits(1)  # its matrices are small: a second thread only waits


def photos():
    """Name, class and digest of every photo, without copies in a class."""
    seen, found = set(), []
    classes = sorted(c for c in os.listdir(FLOWERS) if os.path.isdir(os.path.join(FLOWERS, c)))
    for number, label in enumerate(classes):
        for file in sorted(os.listdir(os.path.join(FLOWERS, label))):
            with open(os.path.join(FLOWERS, label, file), "rb") as photo:
                digest = hashlib.sha256(photo.read()).hexdigest()
            if (digest, label) not in seen:
                seen.add((digest, label))
                found.append((f"{label}/{file}", number, digest))
    return found


def read_cache(folder, values):
    (name,) = os.listdir(os.path.join(folder, "inception", "features"))
    raw = np.fromfile(os.path.join(folder, "inception", "features", name), np.uint8).reshape(-1, 128 + 4 * values)
    return {bytes(row[64:128]).decode(): row[128:].copy().view(np.float32) for row in raw}


def check_unknown(name, model, found):
    seed = int(json.loads(run(COMMAND, "inspect", "--json", model))["metadata"]["seed"])
    tested = [os.path.join(FLOWERS, photo) for photo, _, _ in found if hash_of(photo, seed) // ((2**64 - 1) // 100) < 16]
    known, away = ([json.loads(line)["unknown"] for line in run(COMMAND, "classify", "-q", "-m", model, "-f", "jsonl",
                                                               *photos_).splitlines()] for photos_ in (tested, [data("photos")]))
    tap.ok(1 - np.mean(known) >= .9 and np.mean(away) >= .8,
           f"{name} keeps {known.count(False)} of {len(known)} flowers and turns away {away.count(True)} of {len(away)} other photos")


def right(model, x, y):
    return int((model.predict(x) == y).sum())


def check_labels(folder, weights, found, x):
    """`found`: names, classes and digests of photos, x their features."""
    table, out = os.path.join(folder, "labels.csv"), os.path.join(folder, "labels.safetensors")
    names = [os.path.join(FLOWERS, name) for name, _, _ in found]
    sets = [LABELS[name.split("/")[0]].split("|") for name, _, _ in found]
    labels = sorted(set(sum(sets, [])) - {""})
    with open(table, "w") as file:
        file.write("file,labels\n" + "".join(f'"{name}",{"|".join(own)}\n' for name, own in zip(names, sets)))
    parts = np.array(split_labels(names, [frozenset(own) - {""} for own in sets]))
    y = np.array([[label in own for label in labels] for own in sets])
    test, learnt, trained = parts == 2, parts < 2, parts == 0
    moved = (x - x[trained].mean(0)).astype(float)
    scaled = moved / (moved[trained] ** 2).sum(1).mean() ** .5
    for way in ("none", "auto"):
        report = json.loads(run(COMMAND, "train", "-m", weights, "-o", out, "--force", "--json", "-q", "--class-weights", way, table))
        lines = run(COMMAND, "classify", "-m", out, "-f", "jsonl", "-q", *np.array(names)[test]).splitlines()
        answers = [{p["label"]: p["logit"] for p in json.loads(line)["predictions"]} for line in lines]
        ours, theirs = np.array([[a[label] for label in labels] for a in answers]), []
        for k in range(len(labels)):
            has = (~y[trained, k]).sum() / y[trained, k].sum() if way == "auto" else 1
            total = np.where(y[learnt, k], has, 1).sum()
            model = LogisticRegression(C=1 / (total * report["penalty"]), max_iter=5000, tol=1e-7, class_weight={True: has})
            theirs.append(model.fit(scaled[learnt], y[learnt, k]).decision_function(scaled[test]))
        theirs = np.array(theirs).T
        off = np.abs(ours - theirs).max()
        tap.ok(off < .01 and np.abs(theirs).max() > 5, f"labels, weights {way}: scikit-learn's logits ({off:.1e})")
        same = (ours > 0) == (theirs > 0)
        tap.ok(same.all(), "its answers", np.argwhere(~same))
        mine = [[c[key] for key in ("precision", "recall", "f1", "average_precision")] for c in report["classes"]]
        expected = np.vstack([precision_recall_fscore_support(y[test], ours > 0)[:3],
                              [average_precision_score(y[test][:, k], ours[:, k]) for k in range(len(labels))]]).T
        tap.ok(np.abs(np.array(mine) - expected).max() < 1e-9, "its precision, recall, F1 and average precision", (mine, expected))
        mean, exact = average_precision_score(y[test], ours), int(((ours > 0) == y[test]).all(1).sum())
        tap.ok(abs(report["mean_average_precision"] - mean) < 1e-9 and report["accuracy"]["test"]["right"] == exact,
               f"mAP {mean:.3f}, {exact} of {test.sum()} photos all right", report["accuracy"])


def compare(network, x, y, parts, report, layer):
    """The layer, weights and biases, beside scikit-learn's minimum, which is of features moved and scaled as train does."""
    test, learnt, trained = parts
    moved = (x - x[trained].mean(0)).astype(float)
    scale = (moved[trained] ** 2).sum(1).mean() ** .5
    model = LogisticRegression(C=1 / (learnt.sum() * report["penalty"]), max_iter=2000)  # adds up where train takes the mean
    model.fit(moved[learnt] / scale, y[learnt])

    def loss(logits, weights):
        wrong = np.log(np.exp(logits - logits[np.arange(len(y)), y][:, None]).sum(1))
        return wrong[learnt].mean() + report["penalty"] / 2 * (weights ** 2).sum()

    weights, biases = (layer[-1].reshape(x.shape[1], -1).astype(float), layer[0])
    ours, theirs = x @ weights + biases, model.decision_function(moved / scale)
    losses = loss(ours, weights * scale), loss(theirs, model.coef_)
    tap.ok(losses[0] <= 1.001 * losses[1], f"{network}: as low as with the same penalty", losses)
    best = np.sort(ours[test], 1)
    close = best[:, -1] - best[:, -2]
    own, other = report["accuracy"]["test"]["right"], right(model, moved[test] / scale, y[test])
    tap.ok(abs(own - other) <= (close < .05).sum(), f"{network}: and as often right", (own, other, close.min()))


def check(network, folder, found):
    tool, more, values, layer = NETWORKS[network]
    os.environ["XDG_CACHE_HOME"] = folder
    weights, out = os.path.join(folder, network), os.path.join(folder, "flowers.safetensors")
    run(sys.executable, os.path.join(ROOT, "tools", tool), data("weights", network), weights)

    def train(*words):
        return json.loads(run(COMMAND, "train", "-m", weights, *more, "-o", out, "--force", "--json", "-q", *words, FLOWERS))

    print(f"# {network}: {train()['seconds']}", flush=True)
    cached = read_cache(folder, values)
    x, y = np.array([cached[digest] for _, _, digest in found]), np.array([number for _, number, _ in found])
    some = [os.path.join(FLOWERS, name) for name, _, _ in found[::150]]
    npy = os.path.join(folder, "some.npy")
    run(COMMAND, "features", "-m", weights, "--layer", layer, "-o", npy, *some)
    means = np.load(npy).reshape(len(some), -1, values).mean(1, dtype=np.float64)
    worst = np.abs(x[::150] - means).max() / means.max()
    tap.ok(worst < 1e-6, f"{network}: the cache holds the mean of what inception features writes", worst)

    ours, plain, more_right, cent = 0, 0, 0, (2**64 - 1) // 100
    for seed in SEEDS:
        report = train("--seed", str(seed))
        hashes = np.array([hash_of(name, seed) // cent for name, _, _ in found], int)
        test, learnt, trained = hashes < 16, hashes >= 16, hashes >= 30
        own = report["accuracy"]["test"]
        tap.ok(own["photos"] == test.sum(), f"{network}, seed {seed}: {test.sum()} test photos", own)
        on_trained = right(LogisticRegression(max_iter=300).fit(x[trained], y[trained]), x[test], y[test])
        on_learnt = right(LogisticRegression(max_iter=300).fit(x[learnt], y[learnt]), x[test], y[test])
        ours, plain, more_right = ours + own["right"], plain + on_trained, more_right + on_learnt
        interval = " to ".join(f"{100 * p:.1f}" for p in own["interval"])
        print(f"# {own['right']} right ({interval} %); scikit-learn {on_trained}, with "
              f"the validation photos {on_learnt}; {report['seconds']['output_layer']:.1f} s", flush=True)
        if seed == 0:
            file = read_model_file(out)
            layer_of = sorted((t for t in file.items() if "Logits/" in t[0] or "loss3/" in t[0]), key=lambda t: t[0])
            compare(network, x, y, (test, learnt, trained), report, [values for _, values in layer_of])
            if network == "googlenet":  # the middle of a network knows less of what is what: docs/training.md
                check_unknown(f"{network}, taught flowers,", out, found)
    if network == "googlenet":
        check_labels(folder, weights, found, x)
    tap.ok(ours >= plain, f"{network}: right {ours} times, scikit-learn on the same training photos {plain}")
    # Its penalty is fixed and ours is chosen, so that single photos fall either way: one a split.
    tap.ok(ours + len(SEEDS) >= more_right, f"{network}: and with the validation photos {more_right}")


all_photos = photos()
for name in NETWORKS:
    with tempfile.TemporaryDirectory() as place:
        check(name, place, all_photos)
with tempfile.TemporaryDirectory() as place:
    os.environ["XDG_CACHE_HOME"] = place
    check_unknown("the model that is shipped", os.path.join(BUILD, "models", "flowers.safetensors"), all_photos)
tap.done()
