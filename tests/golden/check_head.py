"""train on the 1250 flowers with the real GoogLeNet, against scikit-learn's logistic regression on the same features.

The features are read from the cache file that train leaves, some of them compared with what `inception features` writes;
the split is computed again from its definition. scikit-learn minimises the same function, so with the penalty that train
chose, and the photos that it learns from in the end, it must be right as often. As people call it, with C = 1, it must not
be right more often over all splits together, whether it learns from the training photos or, as train does in the end, from
the validation photos as well.

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

from oracle import COMMAND, ROOT, Tap, data, run
from split import hash_of, split_labels

SEEDS, VALUES = range(int(sys.argv[2]) if len(sys.argv) > 2 else 3), 1024
FLOWERS = data("data", "flowers")
LABELS = {"daisy": "composite|white", "dandelion": "composite|yellow", "sunflower": "composite|yellow|large",
          "tulip": "bulb", "rose": ""}
tap = Tap()
if not os.path.exists(FLOWERS) or not os.path.exists(data("weights", "googlenet", "deploy.prototxt")):
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


def read_cache(folder):
    (name,) = os.listdir(os.path.join(folder, "inception", "features"))
    raw = np.fromfile(os.path.join(folder, "inception", "features", name), np.uint8).reshape(-1, 128 + 4 * VALUES)
    return {bytes(row[64:128]).decode(): row[128:].copy().view(np.float32) for row in raw}


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


with tempfile.TemporaryDirectory() as folder:
    os.environ["XDG_CACHE_HOME"] = folder
    weights, out = os.path.join(folder, "googlenet.caffemodel"), os.path.join(folder, "flowers.safetensors")
    run(sys.executable, os.path.join(ROOT, "tools", "googlenet_caffemodel.py"), data("weights", "googlenet"), weights)

    def train(*words):
        return json.loads(run(COMMAND, "train", "-m", weights, "-o", out, "--force", "--json", "-q", *words, FLOWERS))

    first = train()
    print(f"# {first['seconds']}", flush=True)
    found, cached = photos(), read_cache(folder)
    x, y = np.array([cached[digest] for _, _, digest in found]), np.array([number for _, number, _ in found])
    some = [os.path.join(FLOWERS, name) for name, _, _ in found[::150]]
    npy = os.path.join(folder, "some.npy")
    run(COMMAND, "features", "-m", weights, "-o", npy, *some)
    tap.ok(np.array_equal(np.load(npy), x[::150]), "the cache holds what inception features writes")

    ours, plain, more, cent = 0, 0, 0, (2**64 - 1) // 100
    for seed in SEEDS:
        report = train("--seed", str(seed))
        hashes = np.array([hash_of(name, seed) // cent for name, _, _ in found], int)
        test, learnt, trained = hashes < 16, hashes >= 16, hashes >= 30
        own = report["accuracy"]["test"]
        tap.ok(own["photos"] == test.sum(), f"seed {seed}: {test.sum()} test photos", own)
        on_trained = right(LogisticRegression(max_iter=300).fit(x[trained], y[trained]), x[test], y[test])
        on_learnt = right(LogisticRegression(max_iter=300).fit(x[learnt], y[learnt]), x[test], y[test])
        ours, plain, more = ours + own["right"], plain + on_trained, more + on_learnt
        print(f"# {own['right']} right; scikit-learn {on_trained}, with the validation photos {on_learnt}; "
              f"{report['seconds']['output_layer']:.1f} s", flush=True)
        if seed == 0:  # scikit-learn adds up where train takes the mean
            moved = (x - x[trained].mean(0)).astype(float)
            scaled = moved / (moved[trained] ** 2).sum(1).mean() ** .5
            same = LogisticRegression(C=1 / (learnt.sum() * report["penalty"]), max_iter=2000)
            same = right(same.fit(scaled[learnt], y[learnt]), scaled[test], y[test])
            tap.ok(same == own["right"], "with the same penalty as often right", (same, own))
    check_labels(folder, weights, found, x)
    tap.ok(ours >= plain, f"right {ours} times, scikit-learn on the same training photos {plain}")
    tap.ok(ours >= more, f"and with the validation photos {more}")
tap.done()
