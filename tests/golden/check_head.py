"""train on the 1250 flowers with the real GoogLeNet, against scikit-learn's logistic regression on the same features.

The features are read from the cache file that train leaves, some of them compared with what `inception features` writes;
the split is computed again from its definition. scikit-learn minimises the same function, so with the penalty that train
chose, and the photos that it learns from in the end, it must be right as often. As people call it, with C = 1, it must not
be right more often over all splits together, whether it learns from the training photos or, as train does in the end, from
the validation photos as well.

Of photos of other things (../shared/photos) at least 80 % must be told to be none of the classes, and of the test's flowers at
most 10 %: by the model that was taught, and by the one that is shipped.

    check_head.py BUILD [SPLITS]     default: 3; docs/training.md has the figures of 6
"""
import hashlib
import json
import os
import sys
import tempfile
import warnings

import numpy as np

from oracle import BUILD, COMMAND, ROOT, Tap, data, run
from split import hash_of

SEEDS, VALUES = range(int(sys.argv[2]) if len(sys.argv) > 2 else 3), 1024
FLOWERS = data("data", "flowers")
tap = Tap()
if not os.path.exists(FLOWERS) or not os.path.exists(data("weights", "googlenet", "deploy.prototxt")):
    tap.skip("train against scikit-learn", "no test data")
    tap.done()
from sklearn.linear_model import LogisticRegression  # noqa: E402
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


def check_unknown(name, model, found):
    seed = int(json.loads(run(COMMAND, "inspect", "--json", model))["metadata"]["seed"])
    tested = [os.path.join(FLOWERS, photo) for photo, _, _ in found if hash_of(photo, seed) // ((2**64 - 1) // 100) < 16]
    known, away = ([json.loads(line)["unknown"] for line in run(COMMAND, "classify", "-q", "-m", model, "-f", "jsonl",
                                                               *photos_).splitlines()] for photos_ in (tested, [data("photos")]))
    tap.ok(1 - np.mean(known) >= .9 and np.mean(away) >= .8,
           f"{name} keeps {known.count(False)} of {len(known)} flowers and turns away {away.count(True)} of {len(away)} other photos")


def right(model, x, y):
    return int((model.predict(x) == y).sum())


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
    train()  # with seed 0
    check_unknown("the model that was taught", out, found)
    tap.ok(ours >= plain, f"right {ours} times, scikit-learn on the same training photos {plain}")
    tap.ok(ours >= more, f"and with the validation photos {more}")
    shipped = os.path.join(BUILD, "models", "flowers.safetensors")
    if os.path.exists(shipped):
        check_unknown("the model that is shipped", shipped, found)
tap.done()
