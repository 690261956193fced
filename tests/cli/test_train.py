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
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from split import hash_of  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
COMMAND = str(BUILD / "inception")
COLOURS = {"blue": (60, 60, 190), "green": (60, 190, 60), "red": (190, 60, 60)}
COUNTS = {"blue": 24, "green": 9, "red": 15}
SLOW = 10 if "asan" in BUILD.name else 1
tap = Tap()


def picture(colour, seed, size=24):
    """A PNG of noise around a colour."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + bytes(max(0, min(255, int(noise.gauss(c, 40)))) for _ in range(size) for c in colour)
                    for _ in range(size))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


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


def make_set(folder, counts=None):
    for label, count in (counts or COUNTS).items():
        os.makedirs(f"{folder}/{label}")
        for i in range(count):
            Path(f"{folder}/{label}/{i}.png").write_bytes(picture(COLOURS[label], f"{label}{i}"))


def metadata(path):
    data = Path(path).read_bytes()
    return json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])["__metadata__"]


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
        train("colours", "-o", "same.safetensors", "--force", *words, cache=cache)
        tap.ok(Path("same.safetensors").read_bytes() == model, f"the same file again: {words}, {cache}")
    shutil.copytree("colours", "elsewhere/colours")
    train("elsewhere/colours", "-o", "same.safetensors", "--force", cache="cold4")
    tap.ok(Path("same.safetensors").read_bytes() == model, "the same file from photos in another place")
    lines = ["file,label,more", *(f'"{label}/{i}.png",{label},x' for label, n in COUNTS.items() for i in range(n))]
    Path("colours/list.csv").write_text("\ufeff" + "\r\n".join(reversed(lines[1:] + lines[:1])) + "\r\n")
    check("train with a CSV of these photos", train("colours/list.csv", "-o", "same.safetensors", "--force"), 0)
    tap.ok(Path("same.safetensors").read_bytes() == model, "gives the same file")
    os.unlink("colours/list.csv")
    other = json.loads(train("colours", "-o", "other.safetensors", "--json", "--seed=1").out)
    tap.ok(other["seed"] == 1 and Path("other.safetensors").read_bytes() != model, "another seed: another split", other)
    check("class weights", train("colours", "-o", "other.safetensors", "--force", "--class-weights=auto"), 0)


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
    front = {name for name in whole if not name.split("/")[1].startswith(behind)}
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
    for path in ("cut.safetensors", "int8.safetensors"):
        for precision in ("f32", "auto"):
            lines = call("classify", "-m", path, "--precision", precision, "-f", "jsonl", "colours").out.splitlines()
            hits = sum(Path(r["file"]).parent.name == r["predictions"][0]["label"] for r in map(json.loads, lines))
            tap.ok(hits >= 40, f"classify: {path}, {precision}", hits)
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
    shutil.copytree("hidden", "bad/Red")
    refuse("two classes of one name", 65, "'Red' and 'red' differ in case only")
    os.rename("bad/Red", "bad/.ipynb_checkpoints")
    refuse("a hidden folder is no class", 65, "one class")
    os.symlink(os.path.abspath("hidden"), "bad/blue")
    check("a link to a folder is a class", train("bad", "-o", "ok.safetensors"), 0)
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


def test_bad_csv():
    def refuse(name, text, err):
        Path("colours/bad.csv").write_text(text)
        check(name, train("colours/bad.csv", "-o", "no.safetensors"), 65, err=err)

    refuse("csv: no header", "red/1.png,red\nred/2.png,red\n", "no columns 'file' and 'label'")
    refuse("csv: nothing", "", "no classes; train wants")
    refuse("csv: a field too few", "file,label\nred/1.png,red\nred/2.png\n", "record 3: ")
    refuse("csv: open quotes", 'file,label\n"red/1.png,red\n', "record 2: ")
    refuse("csv: no label", "file,label\nred/1.png,\n", "record 2: an empty file or label")
    refuse("csv: several labels", "label,file\nred,red/1.png\nblue,red/1.png\n", "'red/1.png' has the labels 'blue' and 'red'")
    refuse("csv: a label of two lines", 'file,label\nred/1.png,"a\nb"\nred/2.png,c\n', "not called by a line of UTF-8")
    rows = [f"{label}/{i}.png,{label}" for label in ("red", "blue") for i in range(4)]
    Path("colours/bad.csv").write_text("\n".join(["file,label", *rows, rows[0], "red/none.png,red"]))
    done = train("colours/bad.csv", "-o", "csv.safetensors", "--json")
    check("csv: a file that is not there", done, 1, err="colours/red/none.png: cannot open")
    tap.ok(json.loads(done.out)["copies_left_out"] == 1, "csv: a record twice", done.out)
    os.unlink("colours/bad.csv")


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


with tempfile.TemporaryDirectory() as here:
    os.chdir(here)
    subprocess.run([BUILD / "tests" / "tiny_model", "tiny.safetensors"], check=True)
    make_set("colours")
    first = test_default()
    tap.attempt(test_same_bits, first)
    tap.attempt(test_cache, first)
    for test in (test_other_commands, test_layer, test_unknown, test_builtin, test_bad_data, test_bad_csv, test_interrupt):
        tap.attempt(test)
    os.chdir("/")
tap.done()
