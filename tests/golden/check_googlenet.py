"""Real weights: GoogLeNet on 104 labelled photos, against OpenCV's reader of the same caffemodel.

Both run in float32 with different orders of summation; 1e-4 of probability is ten times what was seen."""
import csv
import glob
import json
import os
import sys
import tempfile

import numpy as np

from oracle import COMMAND, ROOT, Tap, by_index, classify, data, run

tap = Tap()
if not os.path.exists(data("weights", "googlenet", "deploy.prototxt")):
    tap.skip("googlenet against OpenCV", "no test data")
    tap.done()
import cv2  # noqa: E402

with open(data("photos", "imagenet100", "labels.tsv")) as file:
    labels = {row["file"]: int(row["class_1000"]) for row in csv.DictReader(file, delimiter="\t")}
photos = [data("photos", "imagenet100", name) for name in labels]
with tempfile.TemporaryDirectory() as folder:
    model, old = os.path.join(folder, "googlenet.caffemodel"), os.path.join(folder, "old.caffemodel")
    script = [sys.executable, os.path.join(ROOT, "tools", "googlenet_caffemodel.py"), data("weights", "googlenet")]
    run(*script, model)
    run(*script, old, "--old")
    results = classify(model, photos, "-k", "1000")
    tap.ok([os.path.basename(r["file"]) for r in results] == list(labels), "one result a photo, in order")
    run(COMMAND, "prepare", "-n", "googlenet", "--no-orient", "--strip-alpha", "-o", folder, *photos)
    net = cv2.dnn.readNetFromCaffe(data("weights", "googlenet", "deploy.prototxt"), model)
    worst, same, five = 0.0, 0, 0
    for name, result in zip(labels, results):
        prepared = glob.glob(os.path.join(glob.escape(folder), os.path.splitext(name)[0] + "*.npy"))
        net.setInput(np.ascontiguousarray(np.load(prepared[0]).transpose(0, 3, 1, 2)))
        wanted = net.forward().ravel()
        worst = max(worst, np.abs(by_index(result, "probability") - wanted).max())
        same += int(wanted.argmax()) == result["predictions"][0]["index"]
        five += set(np.argsort(-wanted)[:5]) == {p["index"] for p in result["predictions"][:5]}
    tap.ok(worst <= 1e-4, f"probabilities as OpenCV's ({worst:.1e})")
    tap.ok(same == len(labels), f"top 1 as OpenCV's for {same} of {len(labels)}")
    tap.ok(five == len(labels), f"top 5 as OpenCV's for {five} of {len(labels)}")
    ranks = [[p["index"] for p in r["predictions"]].index(labels[n]) for n, r in zip(labels, results)]
    top1, top5 = sum(r < 1 for r in ranks), sum(r < 5 for r in ranks)
    # 78.8 % and 93.8 % were measured by others on 1000 photos of the same source; three standard deviations below.
    tap.ok(top1 >= 70 and top5 >= 90, f"top 1 {top1} and top 5 {top5} of {len(labels)} photos right")
    if "avx512_bf16" in open("/proc/cpuinfo").read():
        halves = classify(model, photos, "-k", "1000", "--precision", "bf16")
        worst = max(np.abs(by_index(a, "probability") - by_index(b, "probability")).max() for a, b in zip(results, halves))
        same = sum(a["predictions"][0]["index"] == b["predictions"][0]["index"] for a, b in zip(results, halves))
        tap.ok(0 < worst <= 0.02, f"bf16: probabilities as in f32 ({worst:.1e})")  # the product's promises
        tap.ok(same >= 102, f"bf16: top 1 as in f32 for {same} of {len(photos)}")
    else:
        tap.skip("GoogLeNet in bf16", "no instructions for it")
    half, rest = os.path.join(folder, "half"), photos[1::2]  # no photo is both calibrated on and judged
    os.mkdir(half)
    for photo in photos[::2]:
        os.symlink(photo, os.path.join(half, os.path.basename(photo)))
    small = os.path.join(folder, "int8.safetensors")
    report = json.loads(run(COMMAND, "convert", "--int8", "--calibrate", half, "--json", model, small))
    tap.ok(report["photos"] == len(photos) - len(rest) and len(report["layers"]) == 58, "int8: photos and layers")
    tap.ok(classify(small, photos[:8], "-k", "1000") == results[:8], "int8: the file is as good as before in f32")
    if "avx512_vnni" in open("/proc/cpuinfo").read():
        # A promise of 0.5 points of top 1 is no photo of 52; that one may go the other way is left to chance.
        bytes_ = classify(small, rest, "-k", "1000", "--precision", "int8")
        wanted, seen = results[1::2], list(labels.values())[1::2]
        right = [sum(r["predictions"][0]["index"] == label for r, label in zip(side, seen)) for side in (wanted, bytes_)]
        tap.ok(right[1] >= right[0] - 1, f"int8: {right[1]} of {len(rest)} right, {right[0]} in f32")
        same = sum(a["predictions"][0]["index"] == b["predictions"][0]["index"] for a, b in zip(wanted, bytes_))
        tap.ok(same >= len(rest) - 2, f"int8: top 1 as in f32 for {same} of {len(rest)}")
        auto = classify(small, rest[:2], "-k", "1000", "--precision", "auto")
        tap.ok(auto == bytes_[:2], "auto is int8 where the file is made for it")
    else:
        tap.skip("GoogLeNet in int8", "no instructions for it")
    again = classify(old, photos[:8], "-k", "1000")
    tap.ok(again == results[:8], "the old encoding of the caffemodel gives the same bits")
    saved = os.path.join(folder, "googlenet.safetensors")
    run(COMMAND, "convert", model, saved)
    tap.ok(classify(saved, photos[:8], "-k", "1000") == results[:8], "so does the model file made from it")
    article = {"bison": .994, "albatross": 1.00, "sombrero": .977, "tiger-shark": .999, "basketball": .966,
               "coffee-mug": .811}  # measured once by an independent program, to three digits
    seen = classify(model, [data("photos", "article", f"{n}.jpg") for n in article])
    for (name, wanted), result in zip(article.items(), seen):
        got = result["predictions"][0]["probability"]
        tap.ok(abs(got - wanted) <= 0.02, f"{name}: {got:.3f} ({wanted})")
tap.done()
