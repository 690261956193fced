"""inception train as a person runs it, on small pictures of three colours and a small network of random weights.

    test_train.py [BUILD]            BUILD holds the executable; default: build
"""
import hashlib
import json
import math
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from material import COLOURS, make_set, model_header, picture  # noqa: E402
from split import hash_of, split_labels  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
COMMAND = str(BUILD / "inception")
COUNTS = {"blue": 24, "green": 9, "red": 15}
SLOW = 10 if "asan" in BUILD.name else 1
tap = Tap()


def environment(cache="cache"):
    return {**os.environ, "LC_ALL": "C", "XDG_CACHE_HOME": os.path.abspath(cache)}


def call(*words, cache="cache"):
    done = subprocess.run([COMMAND, *map(str, words)], capture_output=True, timeout=300 * SLOW, env=environment(cache))
    done.out, done.err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    return done


def train(*words, cache="cache"):
    return call("train", "-m", "tiny.safetensors", *words, cache=cache)


def check(name, done, code, out="", err=""):
    note = f"expected exit {code}, {out!r}, {err!r}\nexit {done.returncode}\n{done.out[:800]}\n{done.err[:800]}"
    return tap.ok(done.returncode == code and out in done.out and err in done.err, name, note)


def metadata(path):
    return model_header(path)["__metadata__"]


def split(names):
    """Counts of train, validation and test, for a class of three photos or more."""
    hashes = sorted(map(hash_of, names))
    cent = (2**64 - 1) // 100
    test = min(max(sum(h < 16 * cent for h in hashes), 1), len(names) - 2)
    validation = min(max(sum(h < 30 * cent for h in hashes), test + 1), len(names) - 1)
    return {"train": len(names) - validation, "validation": validation - test, "test": test}


def wilson(right, count, z=1.959963984540054):
    """Both solutions p of (right / count - p)^2 = z^2 p (1 - p) / count, by the quadratic formula."""
    a, b, c = 1 + z * z / count, -2 * right / count - z * z / count, (right / count) ** 2
    root = math.sqrt(b * b - 4 * a * c)
    return [(-b - root) / (2 * a), (-b + root) / (2 * a)]


def test_default():
    done = train("colours/")
    check("a model from a folder", done, 0, "colours.safetensors written")
    tap.ok("right answers" in done.out and "with 95 % certainty" in done.out and done.err == "", "a report", done.out)
    found = metadata("colours.safetensors")
    tap.ok(found["labels"] == "blue\ngreen\nred" and found["network"] == "inception_v2" and found["seed"] == "0"
           and found["source_sha256"] == hashlib.sha256(Path("tiny.safetensors").read_bytes()).hexdigest()
           and found["train_photos"].isdigit() and 0 <= float(found["test_accuracy"]) <= 1, "what the file says", found)
    check("not over a file", train("colours"), 74, err="--force replaces it")
    again = train("colours", "--force", "--json")
    report = json.loads(again.out)
    tap.ok(report["cached_photos"] == 48, "the second time nothing is computed", report)
    tap.ok([{k: c[k] for k in ("train", "validation", "test")} for c in report["classes"]]
           == [split([f"{label}/{i}.png" for i in range(n)]) for label, n in COUNTS.items()], "the split", report["classes"])
    right = [report["accuracy"][p] for p in ("train", "validation", "test")]
    tap.ok(all(p["right"] / p["photos"] == p["accuracy"] and max(
        abs(a - b) for a, b in zip(p["interval"], wilson(p["right"], p["photos"]))) < 1e-6 for p in right),
        "accuracies and their intervals", right)
    tap.ok(right[2]["accuracy"] >= .8, "colours can be told apart", right)
    records = [json.loads(line) for line in call("classify", "-m", "colours.safetensors", "-f", "jsonl",
                                                 "colours").out.splitlines()]
    hits = sum(Path(r["file"]).parent.name == r["predictions"][0]["label"] for r in records)
    tap.ok(len(records) == 48 and hits >= 44, "classify with it", hits)
    worst = 0
    for r in records:
        powers = [math.exp(p["logit"] / report["temperature"]) for p in r["predictions"]]
        worst = max(worst, *(abs(q / sum(powers) - p["probability"]) for p, q in zip(r["predictions"], powers)))
    tap.ok(worst < 1e-5 and report["temperature"] != 1, "probabilities are softmax(logits / temperature)", worst)
    return Path("colours.safetensors").read_bytes()


def test_same_bits(model):
    for words, cache in ((["-t1"], "cold1"), (["-t3"], "cold3"), ([], "cache")):
        Path("same.safetensors").unlink(missing_ok=True)
        train("colours", "-o", "same.safetensors", *words, cache=cache)
        tap.ok(Path("same.safetensors").read_bytes() == model, f"the same file again: {words}, {cache}")
    shutil.copytree("colours", "elsewhere/colours")
    Path("same.safetensors").unlink()
    train("elsewhere/colours", "-o", "same.safetensors", cache="cold4")
    tap.ok(Path("same.safetensors").read_bytes() == model, "the same file from photos in another place")
    lines = ["file,label,more", *(f'"{label}/{i}.png",{label},x' for label, n in COUNTS.items() for i in range(n))]
    Path("colours/list.csv").write_text("\ufeff" + "\r\n".join(reversed(lines[1:] + lines[:1])) + "\r\n")
    check("train with a CSV of these photos", train("colours/list.csv", "-o", "same.safetensors", "--force"), 0)
    tap.ok(Path("same.safetensors").read_bytes() == model, "gives the same file")
    os.unlink("colours/list.csv")
    other = json.loads(train("colours", "-o", "other.safetensors", "--json", "--seed=1").out)
    tap.ok(other["seed"] == 1 and Path("other.safetensors").read_bytes() != model, "another seed: another split", other)
    words = ("colours", "-o", "other.safetensors", "--force", "--class-weights")
    check("class weights", train(*words, "auto"), 0)
    balanced = Path("other.safetensors").read_bytes()
    counts = {label: split([f"{label}/{i}.png" for i in range(n)])["train"] for label, n in COUNTS.items()}
    given = {label: repr(sum(counts.values()) / (3 * n)) for label, n in counts.items()}
    check("as a map", train(*words, ",".join(f"{label}={w}" for label, w in given.items())), 0)
    tap.ok(Path("other.safetensors").read_bytes() == balanced != model, "auto is n / (classes x n of the class)")
    Path("weights.txt").write_text("".join(f"{label}={w}\n" for label, w in given.items()))
    check("from a file", train(*words, "@weights.txt"), 0)
    tap.ok(Path("other.safetensors").read_bytes() == balanced, "the same")
    check("of some classes", train(*words, "red=2"), 0)
    other = Path("other.safetensors").read_bytes()
    check("the others are 1", train(*words, "green=1,blue=1,red=2"), 0)
    tap.ok(Path("other.safetensors").read_bytes() == other not in (model, balanced), "the same")
    for value, err in (("rose=2", "there is no class 'rose'; there are: blue, green, red"), ("red=0", "weights are 1e-9 to 1e9"),
                       ("red=2x", "'red=2x' is not allowed"), ("red", "'red' is not allowed"), ("=1", "is not allowed"),
                       ("red=inf", "is not allowed"), ("red=1,red=2", "class 'red' has two weights")):
        check(f"class weights {value!r}", train(*words, value), 64, err=err)
    check("class weights from no file", train(*words, "@none.txt"), 66, err="none.txt: cannot open")


def test_cache(model):
    where = list(Path("cache/inception/features").iterdir())
    tap.ok(len(where) == 1, "one file of features", where)
    whole = where[0].read_bytes()
    size = len(whole) // 48

    def again(what, cached):
        report = json.loads(train("colours", "-o", "same.safetensors", "--force", "--json").out)
        tap.ok(report["cached_photos"] == cached and Path("same.safetensors").read_bytes() == model, what, report)

    for place in (70, 5 * size, 7 * size + 64, 9 * size + 500):  # checksum, photo, features
        where[0].write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        again(f"byte {place} is damaged: that photo is computed again", 47)
    where[0].write_bytes(whole[:-10])
    again("a record is cut off", 47)
    again("and written again", 48)
    where[0].write_bytes(b"rubbish" * 1000)
    again("rubbish", 0)
    Path("file").write_text("")
    check("no cache folder", train("colours", "-o", "same.safetensors", "--force", cache="file"), 0)


def test_forgotten():
    folder, old = Path("cache/inception/features"), time.time() - 31 * 86400
    (kept,) = folder.iterdir()
    for name, when in (("a" * 64, old), ("b" * 64, old + 2 * 86400), ("notes", old)):
        (folder / name).write_text("x")
        os.utime(folder / name, (when, when))
    os.utime(kept, (old, old))
    report = json.loads(train("colours", "-o", "same.safetensors", "--force", "--json").out)
    left = {f.name for f in folder.iterdir()}
    tap.ok(report["cached_photos"] == 48 and left == {kept.name, "b" * 64, "notes"}
           and time.time() - kept.stat().st_mtime < 600, "features that no run wanted for 30 days go", left)
    for name in ("b" * 64, "notes"):
        (folder / name).unlink()


def average_precision(scores, truth):
    """Area under the steps of precision over recall, a step for each threshold."""
    area, before = 0, 0
    for threshold in sorted(set(scores), reverse=True):
        said = [t for s, t in zip(scores, truth) if s >= threshold]
        area, before = area + (sum(said) - before) / sum(truth) * sum(said) / len(said), sum(said)
    return area


def test_labels():
    """Photos of mixed colours: red, green and blue are labels, which a photo may have or not."""
    os.makedirs("mixed/photos")
    truth = {}
    for i in range(72):
        own = frozenset(c for c, often in (("red", .3), ("green", .45), ("blue", .6)) if random.Random(f"{i} {c}").random() < often)
        truth[f"photos/{i}.png"] = own
        colour = [190 if c in own else 60 for c in ("red", "green", "blue")]
        Path(f"mixed/photos/{i}.png").write_bytes(picture(colour, f"m{i}"))
    plain = [f"{name},{'|'.join(own)}" for name, own in truth.items()]
    Path("mixed/a.csv").write_text("\n".join(["file,labels", *plain]))
    done = train("mixed/a.csv", "-o", "mixed.safetensors", "--json")
    check("several labels a photo", done, 0)
    report = json.loads(done.out)
    names, model = sorted(truth), Path("mixed.safetensors").read_bytes()
    parts = split_labels(names, [truth[n] for n in names])
    counts = [{p: sum(parts[i] == k and c in truth[n] for i, n in enumerate(names))
               for k, p in enumerate(("train", "validation", "test"))} for c in ("blue", "green", "red")]
    tap.ok([{k: c[k] for k in counts[0]} for c in report["classes"]] == counts, "the split", (report["classes"], counts))
    found = metadata("mixed.safetensors")
    tap.ok(found["activation"] == "sigmoid" and found["labels"] == "blue\ngreen\nred" and report["activation"] == "sigmoid",
           "the file says sigmoid", found)

    out = call("classify", "-m", "mixed.safetensors", "-f", "jsonl", *(f"mixed/{n}" for n in names)).out
    answers = [{p["label"]: p for p in json.loads(line)["predictions"]} for line in out.splitlines()]
    worst = max(abs(1 / (1 + math.exp(-p["logit"] / report["temperature"])) - p["probability"])
                for a in answers for p in a.values())
    tap.ok(worst < 1e-6, "probabilities are sigmoid(logit / temperature)", worst)
    test = [(a, truth[n]) for a, n, p in zip(answers, names, parts) if p == 2]
    exact = [{c for c, p in a.items() if p["logit"] > 0} == own for a, own in test]
    mine = []
    for c in ("blue", "green", "red"):
        said, has = [a[c]["logit"] > 0 for a, _ in test], [c in own for _, own in test]
        both = sum(s and h for s, h in zip(said, has))
        mine.append({"precision": both / sum(said) if any(said) else None, "recall": both / sum(has),
                     "f1": 2 * both / (sum(said) + sum(has)),
                     "average_precision": average_precision([a[c]["logit"] for a, _ in test], has)})
    off = [abs(theirs[k] - own[k]) if own[k] is not None else theirs[k] is not None
           for theirs, own in zip(report["classes"], mine) for k in own]
    tap.ok(max(off) < 1e-6, "precision, recall, F1, average precision", (report["classes"], mine))
    mean = sum(m["average_precision"] for m in mine) / 3
    tap.ok(abs(report["mean_average_precision"] - mean) < 1e-6 and mean > .8, "their mean", (report, mean))
    part = report["accuracy"]["test"]
    tap.ok(part["right"] == sum(exact) and part["photos"] == len(exact), "photos whose labels are all right", (part, exact))
    tap.ok("mistakes" not in report, "no photo is taken for another")

    rows = [f"{name},{c}" for name, own in truth.items() for c in own]
    none = [f"{name}," for name, own in truth.items() if not own]
    Path("mixed/b.csv").write_text("\n".join(["file,labels", *reversed(rows + none)]))
    check("a record for each label", train("mixed/b.csv", "-o", "other.safetensors", "--force"), 0, "labels are all right")
    tap.ok(Path("other.safetensors").read_bytes() == model, "gives the same file")
    some = [line for line in plain if not line.endswith(",")]
    Path("mixed/b.csv").write_text("\n".join(["file,labels", *some]))
    train("mixed/b.csv", "-o", "other.safetensors", "--force")
    model = Path("other.safetensors").read_bytes()
    for what, lines in (("| in the column label", some), ("records in the column label", rows)):
        Path("mixed/b.csv").write_text("\n".join(["label,file", *(",".join(reversed(line.split(","))) for line in lines)]))
        check(what, train("mixed/b.csv", "-o", "other.safetensors", "--force"), 0, "mean average precision (mAP)")
        tap.ok(Path("other.safetensors").read_bytes() == model, "gives the same file")
    check("class weights of labels", train("mixed/a.csv", "-o", "other.safetensors", "--force", "--class-weights=auto"), 0)
    rows = [f"{name},{'red' if 'red' in own else ''}" for name, own in truth.items()]
    Path("mixed/c.csv").write_text("\n".join(["file,labels", *rows]))
    check("one label, or none", train("mixed/c.csv", "-o", "other.safetensors", "--force"), 0)
    shutil.copy("mixed/photos/1.png", "mixed/photos/1b.png")
    shutil.copy("mixed/photos/2.png", "mixed/photos/2b.png")
    different = "|".join(truth["photos/2.png"] ^ {"red"})
    Path("mixed/c.csv").write_text("\n".join(["file,labels", *plain, f"photos/1b.png,{'|'.join(truth['photos/1.png'])}",
                                              f"photos/2b.png,{different}"]))
    done = train("mixed/c.csv", "-o", "other.safetensors", "--force")
    check("a copy with its labels", done, 0, err="1 copy of a photo with its labels left out")
    tap.ok("the same photo with different labels: photos/2" in done.err, "and one with others", done.err)

    check("convert to ONNX", call("convert", "mixed.safetensors", "mixed.onnx"), 0)
    network = Path("mixed.onnx").read_bytes()
    tap.ok(b"Sigmoid" in network and b"Softmax" not in network, "which ends in a sigmoid")
    done = call("convert", "--int8", "--calibrate", "mixed/photos", "mixed.safetensors", "mixed8.safetensors")
    check("calibrate for int8", done, 0)
    tap.ok(metadata("mixed8.safetensors")["activation"] == "sigmoid", "that stays")
    for precision in ("f32", "bf16", "int8"):
        done = call("classify", "-m", "mixed8.safetensors", "--precision", precision, "-f", "jsonl", "mixed/photos/5.png")
        worst = max(abs(1 / (1 + math.exp(-p["logit"] / report["temperature"])) - p["probability"])
                    for p in json.loads(done.out)["predictions"])
        if "f32 is used" in done.err:
            tap.skip(f"{precision}: sigmoid(logit / temperature)", "this CPU has no instructions for it")
        else:
            tap.ok(worst < 1e-6, f"{precision}: sigmoid(logit / temperature)", worst)
    out = call("features", "-m", "mixed.safetensors", "--layer", "Predictions", "mixed/photos/5.png").out
    worst = max(abs(float(value) - answers[names.index("photos/5.png")][c]["probability"])
                for value, c in zip(out.splitlines()[-1].split(",")[1:], ("blue", "green", "red")))
    tap.ok(worst < 1e-6, "and so is the layer Predictions", worst)
    check("a card", call("classify", "-m", "mixed.safetensors", "--plot", "mixed.png", "mixed/photos/5.png"), 0, "Probability")
    done = call("classify", "-m", "mixed.safetensors", "-f", "csv", "mixed/photos/5.png")
    tap.ok(done.returncode == 0 and done.out.count("\n") == 4, "a table", done.out)
    damaged = Path("mixed.safetensors").read_bytes().replace(b'"sigmoid"', b'"tanhtan"')
    Path("other.safetensors").write_bytes(damaged)
    check("an activation that is not known", call("classify", "-m", "other.safetensors", "mixed/photos/5.png"), 65,
          err="an activation of 'tanhtan' is neither softmax nor sigmoid")
    check("teach it classes", train("colours", "-o", "other.safetensors", "--force"), 0)


def test_other_commands():
    model = "colours.safetensors"
    check("inspect", call("inspect", model), 0, "source_sha256")
    check("features", call("features", "-m", model, "colours/red/1.png"), 0, "v255")
    check("bench", call("bench", "-m", model, "-s", "0.1"), 0)
    for out in ("c.onnx", "c.ckpt", "c.safetensors"):
        check(f"convert to {out}", call("convert", model, out), 0)
    a, b = metadata(model), metadata("c.safetensors")
    tap.ok(a == b, "a conversion keeps what the file says", (a, b))
    tap.ok(b"logits/Div" in Path("c.onnx").read_bytes(), "ONNX divides by the temperature")
    check("teach what was taught", call("train", "-m", model, "colours", "-o", "twice.safetensors"), 0)
    found = metadata("twice.safetensors")
    tap.ok(found["source_sha256"] == hashlib.sha256(Path(model).read_bytes()).hexdigest(), "says whom", found)


def test_layer():
    def tensors(path):
        data = Path(path).read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        return {k: v["shape"] for k, v in json.loads(data[8:8 + size]).items() if k != "__metadata__"}

    done = train("colours", "-o", "cut.safetensors", "--layer=Mixed_4b", "--json")
    check("teach on a layer inside", done, 0)
    report, found = json.loads(done.out), metadata("cut.safetensors")
    tap.ok(report["cached_photos"] == 0 and report["accuracy"]["test"]["accuracy"] >= .8, "with features of its own", report)
    tap.ok(found["final_layer"] == "Mixed_4b" and found["labels"] == "blue\ngreen\nred", "it says where it is cut", found)
    whole, cut = tensors("tiny.safetensors"), tensors("cut.safetensors")
    logits = {f"InceptionV2/Logits/Conv2d_1c_1x1/{name}" for name in ("weights", "biases")}
    behind = ("Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_5")
    front = {name for name in whole if not name.split("/")[1].startswith(behind)} | {"class_means"}
    tap.ok(set(cut) == front, "nothing behind the layer", cut)
    tap.ok([cut[name] for name in sorted(logits)] == [[3], [1, 1, 144, 3]], "a classifier of 3 classes on 144 channels", cut)
    check("the same again", train("colours", "-o", "cut.safetensors", "--layer=Mixed_4b", "--force", "--json"), 0,
          '"cached_photos": 48')
    check("inspect", call("inspect", "cut.safetensors"), 0, "final_layer: Mixed_4b")
    check("bench", call("bench", "-m", "cut.safetensors", "-s", "0.1"), 0)
    check("layers", call("features", "-m", "cut.safetensors", "--list-layers"), 0, "AvgPool_1a")
    check("features", call("features", "-m", "cut.safetensors", "colours/red/1.png"), 0, "v143")
    check("made ready for int8", call("convert", "--int8", "--calibrate", "colours", "cut.safetensors", "int8.safetensors"),
          0)
    logits = {}
    for path in ("cut.safetensors", "int8.safetensors"):
        for precision in ("f32", "auto"):
            lines = call("classify", "-m", path, "--precision", precision, "-f", "jsonl", "colours").out.splitlines()
            records = [json.loads(line) for line in lines]
            hits = sum(Path(r["file"]).parent.name == r["predictions"][0]["label"] for r in records)
            tap.ok(hits >= 40, f"classify: {path}, {precision}", hits)
            logits[path, precision] = [p["logit"] for r in records for p in sorted(r["predictions"], key=lambda p: p["index"])]
    exact, bytes_ = logits["cut.safetensors", "f32"], logits["int8.safetensors", "auto"]
    lost = math.dist(exact, bytes_) / math.hypot(*exact)
    if not lost:
        tap.skip("the features, which are looked at, keep their range in int8", "auto is f32 on this CPU")
    else:
        tap.ok(lost < .1, "the features, which are looked at, keep their range in int8", lost)
    for out in ("cut.onnx", "cut.ckpt"):
        check(f"convert to {out}", call("convert", "cut.safetensors", out), 0)
    check("a TensorFlow checkpoint does not say so", call("classify", "-m", "cut.ckpt", "colours/red/1.png"), 65,
          err="complete up to layer Mixed_4b")
    again = ["colours", "-o", "out.safetensors", "--force"]
    check("and is enough to teach on", call("train", "-m", "cut.ckpt", "--layer=Mixed_4b", *again), 0)
    check("teach it again", call("train", "-m", "cut.safetensors", *again), 0)
    tap.ok(metadata("out.safetensors")["final_layer"] == "Mixed_4b", "it stays cut")
    check("cut it again", call("train", "-m", "cut.safetensors", "--layer=Mixed_3b", *again), 0)
    tap.ok(metadata("out.safetensors")["final_layer"] == "Mixed_3b", "where it was told to")
    check("no layer of that name", train("colours", "--layer=Mixed_9z", "-o", "no.safetensors"), 66,
          err="inception_v2 has no layer 'Mixed_9z' in front of its last pool")
    check("a layer that is not there any more", call("train", "-m", "cut.safetensors", "--layer=Mixed_4c", "colours", "-o",
                                                     "no.safetensors"), 65, err="complete up to layer Mixed_4b")
    tap.ok(not Path("no.safetensors").exists(), "no file")

def rewritten(source, out, **texts):
    """A model file with other texts (None: without)."""
    data = Path(source).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header["__metadata__"].update(texts)
    header["__metadata__"] = {k: v for k, v in header["__metadata__"].items() if v is not None}
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    Path(out).write_bytes(struct.pack("<Q", len(text)) + text + data[start:])


def test_unknown():
    """The threshold: what train writes, and what classify says of photos below it. With one of 1 nothing is known."""
    found = metadata("colours.safetensors")
    tap.ok(found["unknown_score"] == "cosine" and 0 < float(found["unknown_threshold"]) < 1, "train writes a threshold", found)
    records = [json.loads(line) for line in call("classify", "-m", "colours.safetensors", "-f", "jsonl", "colours").out.splitlines()]
    known = sum(r["unknown"] is False for r in records)
    tap.ok(44 <= known <= 48, "of its own photos nearly all are known", known)
    photo = "colours/red/1.png"
    rewritten("colours.safetensors", "none.safetensors", unknown_threshold="1")
    none = call("classify", "-m", "none.safetensors", photo)
    closest = json.loads(call("classify", "-m", "colours.safetensors", "-j", photo).out)[0]["predictions"][0]["label"]
    check("what is none of the classes", none, 0, f"\nnot one of the 3 classes (closest: {closest})\n")
    tap.ok("%" not in none.out, "without a list", none.out)
    record = json.loads(call("classify", "-m", "none.safetensors", "-j", photo).out)[0]
    tap.ok(record["unknown"] is True and len(record["predictions"]) == 3, "JSON says so, and has the list", record)
    tap.ok("unknown" not in json.loads(call("classify", "-m", "tiny.safetensors", "-j", photo).out)[0],
           "of a model without a threshold it says nothing")
    header, *rows = [line.split(",") for line in call("classify", "-m", "none.safetensors", "-f", "csv", photo).out.splitlines()]
    tap.ok(len(rows) == 3 and all(row[header.index("unknown")] == "true" for row in rows), "a table too", rows)
    check("beside a network that knows", call("classify", "-m", "none.safetensors", "-m", "colours.safetensors", photo), 0,
          "not one of the 3 classes")
    check("with bars", call("classify", "--color=always", "--picture=none", "-m", "none.safetensors", "-m", "colours.safetensors",
                            photo), 0, "not one of the 3 classes")
    check("sorted", call("classify", "-m", "none.safetensors", "--sort-into=sorted", "-j", photo), 0)
    tap.ok(Path("sorted/unknown/1.png").exists(), "into a folder of their own", os.listdir("sorted"))
    check("drawn", call("classify", "-m", "none.safetensors", "--plot=none.pdf", "-j", photo), 0)
    if shutil.which("pdftotext"):
        words = subprocess.run(["pdftotext", "none.pdf", "-"], capture_output=True, text=True).stdout
        tap.ok(f"not one of the 3 classes, closest: {closest}" in words and "%" not in words, "without a percentage", words)
    else:
        tap.skip("without a percentage", "no pdftotext")
    check("answers of one", call("classify", "-m", "colours.safetensors", "--append=both.csv", photo), 0)
    rewritten("colours.safetensors", "shades.safetensors", labels="a\nb\nc")
    check("are none of another's", call("classify", "-m", "shades.safetensors", "--append=both.csv", photo), 65, err="other classes")
    rewritten("colours.safetensors", "numbers.safetensors", labels="1\n10\n2")
    done = call("classify", "-m", "numbers.safetensors", "-j", "--allow=1", photo)
    check("a class called by a number", done, 0)
    tap.ok([p["label"] for p in json.loads(done.out)[0]["predictions"]] == ["1"], "is meant before an index", done.out)
    rewritten("colours.safetensors", "named.safetensors", labels="unknown\nunknown\nunknown", unknown_threshold=None,
              unknown_score=None)
    check("classes called unknown", call("classify", "-m", "named.safetensors", "--sort-into=named", "-j", photo), 0)
    tap.ok(any(name.startswith("class ") for name in os.listdir("named")), "into folders of their own", os.listdir("named"))
    check("as bfloat16", call("convert", "--weights=bf16", "none.safetensors", "half.safetensors"), 0)
    tap.ok(metadata("half.safetensors") == metadata("none.safetensors"), "which says the same of itself")
    check("is unknown as well", call("classify", "-m", "half.safetensors", photo), 0, "not one of the 3 classes")
    check("bfloat16 is taught", call("train", "-m", "half.safetensors", "colours", "-o", "more.safetensors"), 0)
    check("and looked at", call("features", "-m", "half.safetensors", photo), 0, "v255")
    check("and made ready for int8", call("convert", "--weights=bf16", "--int8", "--calibrate", "colours/red", "half.safetensors",
                                         "half8.safetensors"), 0)
    check("where it is unknown too", call("classify", "--precision=auto", "-m", "half8.safetensors", photo), 0, "not one of the 3")
    for out in ("c.onnx", "c.ckpt"):
        check(f"no bfloat16 in {out}", call("convert", "--weights=bf16", "none.safetensors", out), 64, err="only model files")
    rewritten("colours.safetensors", "bad.safetensors", unknown_threshold="half")
    check("a threshold that is no number", call("classify", "-m", "bad.safetensors", photo), 65, err="of 'half' is not -1 to 1")


def test_builtin():
    """A model beside the command, where an installation has it; and the same command without it."""
    os.makedirs("there/bin")
    os.makedirs("flowers")  # as a folder of photos is called
    command = shutil.copy(COMMAND, "there/bin/inception")

    def run(*words, **more):
        done = subprocess.run([command, *words], capture_output=True, timeout=300 * SLOW, env={**environment("bare"), **more})
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        return done

    photo = "colours/red/1.png"
    check("without it there is nothing", run("classify", photo), 69, err="inception fetch v4")
    check("not by name either", run("classify", "-m", "flowers", photo), 66, err="flowers")
    tap.ok(len(json.loads(run("models", "--json").out)) == 6 and "Built in" not in run("models").out, "models: not there")
    os.makedirs("there/share/inception")
    path = os.path.abspath("there/share/inception/flowers.safetensors")
    shutil.copy("colours.safetensors", path)
    plain = call("classify", "-m", "colours.safetensors", photo)
    found = run("classify", photo)
    tap.ok(found.returncode == 0 and found.out == plain.out, "classify without a word uses it", found)
    tap.ok(found.err.count("\n") == 1 and "knows blue, green, red, and nothing else" in found.err
           and "inception fetch v4" in found.err, "and says in a line what it knows", found.err)
    tap.ok(run("classify", "-q", photo).err == "", "unless quiet")
    named = run("classify", "-m", "Flowers", photo)
    tap.ok(named.returncode == 0 and named.out == plain.out and named.err == "", "by name, whatever folder is called so", named)
    check("not for other commands", run("features", photo), 69, err="inception fetch v4")
    check("features of it by name", run("features", "-m", "flowers", photo), 0, "v255")
    check("models", run("models"), 0, "Built in: flowers, 3 classes (blue, green, red); right")
    last = json.loads(run("models", "--json").out)[-1]
    accuracy = float(metadata("colours.safetensors")["test_accuracy"])
    tap.ok(last["name"] == "flowers" and last["built_in"] and last["labels"] == ["blue", "green", "red"]
           and last["test_accuracy"] == accuracy and last["path"] == path, "models --json", last)
    check("models show", run("models", "show", "flowers"), 0, "classes        3: blue, green, red\n")
    tap.ok(json.loads(run("models", "show", "flowers", "-j").out) == last, "models show --json")
    check("models path", run("models", "path", "flowers"), 0, path + "\n")
    check("models rm", run("models", "rm", "flowers"), 69, err="flowers is built in and stays")
    check("fetch: there already", run("fetch", "flowers"), 0, path + "\n")
    os.makedirs("full/inception")
    shutil.copy("tiny.safetensors", "full/inception/inception_v2.safetensors")
    cached = run("classify", photo, **environment("full"))
    tap.ok(cached.err == "" and cached.out == call("classify", "-m", "tiny.safetensors", photo).out,
           "a network in the cache goes before it", cached)
    Path(path).write_bytes(Path(path).read_bytes()[:1000])
    check("a damaged one", run("classify", photo), 65, err="flowers.safetensors")
    check("in the list", run("models"), 0, err="flowers.safetensors")


def test_others():
    counts = {"blue": 40, "green": 12, "red": 40}
    make_set("kinds", counts)
    make_set("pair", {"green": 3, "red": 3})
    plain = train("kinds", "-o", "kinds.safetensors", "--json")
    done = train("kinds", "-o", "two.safetensors", "--others", "green", "--json")
    check("photos of none of the classes", done, 0)
    report, green = json.loads(done.out), split([f"green/{i}.png" for i in range(12)])["test"]
    tap.ok([c["label"] for c in report["classes"]] == ["blue", "red"] and "others" not in json.loads(plain.out)
           and report["accuracy"]["test"]["photos"] == sum(c["test"] for c in report["classes"]), "are no class", report)
    others = report["others"]
    tap.ok(others["label"] == "green" and others["photos"] == others["turned_away"] == green
           and others["class_photos"] == report["accuracy"]["test"]["photos"], "but are turned away", others)
    records = [json.loads(line) for line in call("classify", "-m", "two.safetensors", "-f", "jsonl", "kinds").out.splitlines()]
    away = {label: sum(r["unknown"] for r in records if Path(r["file"]).parent.name == label) for label in counts}
    tap.ok(away["green"] == 12 and away["blue"] + away["red"] <= 16, "by classify, too", away)
    check("the report", train("kinds", "-o", "two.safetensors", "--others", "green", "--force"), 0,
          f"turned away in the test\n{green:5} of {green}  photos of green\n")
    check("none of them", train("kinds", "-o", "no.safetensors", "--others", "Green"), 65, err="no photo is of 'Green', which")
    os.makedirs("kinds/one")
    shutil.copy("kinds/green/0.png", "kinds/one/0.png")
    check("one photo of them", train("kinds", "-o", "no.safetensors", "--others", "one"), 65, err="'one', which --others names, has one")
    shutil.rmtree("kinds/one")
    check("one class left", train("pair", "-o", "no.safetensors", "--others", "green"), 65, err="one class; train wants two")
    Path("kinds/several.csv").write_text("file,label\nred/0.png,red|warm\nred/1.png,red\ngreen/1.png,green\n")
    check("several labels", train("kinds/several.csv", "-o", "no.safetensors", "--others", "green"), 65,
          err="--others wants one class a photo")


def test_bad_data():
    make_set("bad", {"blue": 3, "red": 3})

    def refuse(name, code, err, path="bad"):
        check(name, train(path, "-o", "no.safetensors"), code, err=err)
        tap.ok(not Path("no.safetensors").exists(), "no file")

    refuse("no such folder", 66, "nowhere: no such", "nowhere")
    refuse("no classes", 65, "a folder of photos for each class", "bad/red")
    os.makedirs("bad/empty/deeper")
    refuse("an empty class", 65, "bad/empty: no photo in this folder")
    Path("bad/empty/notes.png").write_text("no picture")
    refuse("a class without photos", 65, "bad/empty: no photo in this folder (1 other files in it)")
    Path("bad/empty/one.png").write_bytes(picture((9, 9, 9), 1))
    refuse("a class with one photo", 65, "class 'empty' has one photo")
    shutil.rmtree("bad/empty")
    os.rename("bad/blue", "hidden")
    refuse("one class", 65, "one class; train wants two or more")
    for part in ("Train", "val"):
        shutil.copytree("hidden", f"parted/{part}/blue")
    refuse("folders that are parts", 65, "parted: its folders are called as parts (training, validation, test)", "parted")
    shutil.copytree("hidden", "bad/Red")
    refuse("two classes of one name", 65, "'Red' and 'red' differ in case only")
    os.rename("bad/Red", "bad/.ipynb_checkpoints")
    refuse("a hidden folder is no class", 65, "one class")
    os.symlink(os.path.abspath("hidden"), "bad/blue")
    shutil.copy("bad/red/1.png", "bad/b.png")
    shutil.copy("bad/red/1.png", "bad/a.PNG")
    Path("bad/notes.txt").write_text("colours")
    done = train("bad", "-o", "ok.safetensors")
    check("a link to a folder is a class", done, 0)
    tap.ok("bad: 2 photos are in no folder of a class, left out: a.PNG, ..." in done.err, "photos beside the folders", done.err)
    os.symlink(".", "bad/self")
    os.symlink("../..", "bad/up")
    os.makedirs("bad/begun.run")
    Path("bad/red/page.png").write_text("<html>")
    done = train("bad", "-o", "ok.safetensors", "--force", "--json")
    check("links to what the set is in, and a run that was killed at once, are no classes", done, 0,
          err="1 file is called like a photo and no photo")
    tap.ok([c["label"] for c in json.loads(done.out)["classes"]] == ["blue", "red"], "but others are", done.out)
    os.unlink("bad/red/page.png")
    shutil.copy("bad/red/1.png", "hidden/stray.png")
    shutil.copy("bad/red/1.png", "bad/red/copy.png")
    Path("bad/red/broken.png").write_bytes(picture(COLOURS["red"], 7)[:300])
    Path("bad/red/.hidden.png").write_bytes(picture(COLOURS["blue"], 8))
    done = train("bad", "-o", "ok.safetensors", "--force", "--json")
    check("a broken photo is skipped", done, 1, err="bad/red/broken.png")
    report = json.loads(done.out)
    tap.ok(report["skipped"] == ["red/broken.png"] and report["copies_left_out"] == 1, "and listed", report)
    tap.ok(sum(report["classes"][1][p] for p in ("train", "validation", "test")) == 3, "a copy counts once", report)
    tap.ok("the same photo in two classes: blue/stray.png and red/1.png" in done.err, "a photo in two classes", done.err)
    for photo in ("0", "1", "2", "copy"):
        Path(f"bad/red/{photo}.png").write_bytes(picture(COLOURS["red"], photo)[:300])
    refuse("no photo of a class can be read", 65, "class 'red' has no photo that can be read")
    check("no folder for the model", train("colours", "-o", "no/m.safetensors"), 74, err="no/m.safetensors: cannot be written")
    check("too long a name", train("colours", "-o", "m" * 250), 74, err="a name of more than 223 bytes")


def test_bad_csv():
    def refuse(name, text, err):
        Path("colours/bad.csv").write_text(text)
        check(name, train("colours/bad.csv", "-o", "no.safetensors"), 65, err=err)

    refuse("csv: no header", "red/1.png,red\nred/2.png,red\n", "no columns 'file' and 'label' or 'labels'")
    refuse("csv: nothing", "", "no classes; train wants")
    refuse("csv: a line in front", "\n\nfile,label\nred/1.png,red\n", "one class; train wants")
    refuse("csv: a header of wrong quotes", 'file,"la"bel\n', "wrong quotes, or too many fields, in the header")
    refuse("csv: a field too few", "file,label\nred/1.png,red\nred/2.png\n", "record 3: ")
    refuse("csv: open quotes", 'file,label\n"red/1.png,red\n', "record 2: ")
    refuse("csv: no label", "file,label\nred/1.png,\n", "record 2: an empty file or label")
    refuse("csv: no class", "file,labels\nred/1.png,\nred/2.png,\n", "no classes; train wants")
    refuse("csv: nothing beside a |", "file,label\nred/1.png,a| |b\n", "record 2: an empty label beside a |")
    refuse("csv: a label of one photo", "label,file\nred,red/1.png\nblue,red/1.png\n", "label 'blue' has one photo")
    rows = [f"red/{i}.png,red|{'warm' if i else 'cold'}" for i in range(4)]
    refuse("csv: a label of every photo", "\n".join(["file,label", *rows, "red/4.png,cold|red"]),
           "every photo has the label 'red'; at least two without it are needed")
    refuse("csv: a label of nearly every photo", "\n".join(["file,labels", *rows, "red/4.png,cold"]),
           "all but one photo has the label 'red'")
    refuse("csv: labels that differ in case", "\n".join(["file,label", *rows, "red/4.png,Warm"]), "differ in case only")
    refuse("csv: a label of two lines", 'file,label\nred/1.png,"a\nb"\nred/2.png,c\n', "not called by a line of UTF-8")
    rows = [f"{label}/{i}.png,{label}" for label in ("red", "blue") for i in range(4)]
    Path("colours/bad.csv").write_text("\n".join(["file,label", *rows, rows[0], "red/none.png,red"]))
    done = train("colours/bad.csv", "-o", "csv.safetensors", "--json")
    check("csv: a file that is not there", done, 1, err="colours/red/none.png: cannot open")
    tap.ok(json.loads(done.out)["copies_left_out"] == 1, "csv: a record twice", done.out)
    rows = [f"{label}/{i}.png,{label}{'|warm' if i % 2 else ''}" for label in ("red", "blue") for i in range(4)]
    Path("colours/bad.csv").write_text("\n".join(["file,label", *rows, rows[1], "red/1.png,red"]))
    done = train("colours/bad.csv", "-o", "csv.safetensors", "--json", "--force")
    tap.ok(json.loads(done.out)["copies_left_out"] == 0, "csv: labels of a photo in several records", done.out)
    done = subprocess.run([COMMAND, "train", "-m", "../tiny.safetensors", "/dev/stdin"], cwd="colours", env=environment("../cache"),
                          input=Path("colours/bad.csv").read_bytes().replace(b"\n", b"\n" + os.getcwd().encode() + b"/colours/"),
                          capture_output=True)
    tap.ok(done.returncode == 0 and Path("colours/model.safetensors").exists(), "csv: from a pipe", done.stderr)
    os.unlink("colours/bad.csv")
    for label, what in (("ro\u202ese", "turned around"), ("x" * 1001, "too long")):
        Path("bad.csv").write_text(f"file,label\ncolours/red/1.png,{label}\ncolours/blue/1.png,blue\n")
        check(f"csv: a label {what}", train("bad.csv", "-o", "no.safetensors"), 65, "", "is not called by a line of UTF-8 text")
    Path("blank.csv").write_text("file , label\n" + "".join(
        f"colours/{c}/{i}.png, {c} \ncolours/{c}/{i + 4}.png,{c}\n" for c in ("red", "blue") for i in range(4)))
    done = train("blank.csv", "-o", "blank.safetensors", "--json")
    tap.ok(done.returncode == 0 and [c["label"] for c in json.loads(done.out)["classes"]] == ["blue", "red"],
           "csv: blanks around a field do not count", done.err)
    check("convert onto itself", call("convert", "blank.safetensors", "./blank.safetensors"), 64, "", "name another file")
    check("to a checkpoint", call("convert", "blank.safetensors", "blank.ckpt"), 0)
    before = Path("blank.ckpt.index").read_bytes(), Path("blank.ckpt.data-00000-of-00001").read_bytes()
    os.makedirs("own")
    for part in ("index", "data-00000-of-00001"):
        shutil.copy(f"blank.ckpt.{part}", f"own/blank.ckpt.{part}")
    Path("own/checkpoint").write_text('model_checkpoint_path: "blank.ckpt"\n')
    for source, out in (("blank.ckpt", "blank.ckpt"), ("blank.ckpt.index", "./blank.ckpt"), ("blank.ckpt", "blank.ckpt.index"),
                        ("blank.ckpt.data-00000-of-00001", "blank.ckpt"), ("own", "own/blank.ckpt")):
        check(f"a checkpoint onto itself: {source}", call("convert", "-n", "v2", source, out), 64, "", "name another file")
    after = Path("blank.ckpt.index").read_bytes(), Path("blank.ckpt.data-00000-of-00001").read_bytes()
    tap.ok(before == after, "which stays")
    check("its index as a model file", call("convert", "-n", "v2", "-f", "model", "blank.ckpt", "blank.ckpt.index"), 64, "",
          "name another file")
    check("beside it", call("convert", "-n", "v2", "own", "own/other.ckpt"), 0)
    check("output is a folder", train("blank.csv", "-o", "own", "--force"), 74, "", "no regular file")


def test_interrupt():
    os.makedirs("long/a")
    os.makedirs("long/b")
    large = picture((100, 100, 100), 1, 1000)
    for i in range(120):
        Path(f"long/{'ab'[i % 2]}/{i}.png").write_bytes(large + bytes([i]))  # what follows the picture is passed over
    running = subprocess.Popen([COMMAND, "train", "-m", "tiny.safetensors", "long"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment("cold5"))
    features = Path("cold5/inception/features")
    for _ in range(3000):
        if features.exists() and any(f.stat().st_size > 5000 for f in features.iterdir()):
            break
        time.sleep(.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    tap.ok(running.returncode == 130 and not Path("long.safetensors").exists(), "Ctrl-C: 130 and no model",
           (running.returncode, out, err))
    left = [f for f in os.listdir() if f.startswith("long.")]
    tap.ok(not left, "nothing is left half written", left)
    report = json.loads(train("long", "--json", cache="cold5").out)
    tap.ok(0 < report["cached_photos"] < 120, "what was computed is kept", report["cached_photos"])
    two = [subprocess.Popen([COMMAND, "train", "-q", "-m", "tiny.safetensors", "long", "-o", f"{name}.safetensors"],
                            stdout=subprocess.DEVNULL, env=environment("cold6")) for name in "ab"]
    tap.ok([one.wait() for one in two] == [0, 0] and Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes(),
           "two at once")
    report = json.loads(train("long", "--json", "--force", cache="cold6").out)
    tap.ok(report["cached_photos"] == 120, "what either computed is kept", report["cached_photos"])


with tempfile.TemporaryDirectory() as here:
    os.chdir(here)
    subprocess.run([BUILD / "tests" / "tiny_model", "tiny.safetensors"], check=True)
    make_set("colours", COUNTS)
    first = test_default()
    tap.attempt(test_same_bits, first)
    tap.attempt(test_cache, first)
    for test in (test_forgotten, test_other_commands, test_layer, test_unknown, test_builtin, test_labels, test_others,
                 test_bad_data, test_bad_csv, test_interrupt):
        tap.attempt(test)
    os.chdir("/")
tap.done()
