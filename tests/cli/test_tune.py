"""inception train beyond the output layer, as a person runs it: small pictures of three colours, a small network.

    test_tune.py [BUILD]             BUILD holds the executable; default: build
"""
import json
import os
import random
import re
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
from material import COLOURS, make_set, model_header as header, picture, png_of  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
COMMAND = str(BUILD / "inception")
COUNTS = {"blue": 16, "green": 12, "red": 16}
NEW = ["-n", "v2", "--depth-multiplier", "0.1", "--min-depth", "8", "--from-scratch", "--input-size", "32"]
SHORT = ["--batch", "8", "--optimiser", "momentum", "--rate", "0.02", "--norm-decay", "0.7", "--schedule", "fixed"]
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}
tap = Tap()


def call(*words):
    done = subprocess.run([COMMAND, *map(str, words)], capture_output=True, timeout=600, env=ENVIRONMENT)
    done.out, done.err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    return done


def train(*words):
    return call("train", "colours", *words)


def check(name, done, code, out="", err=""):
    note = f"expected exit {code}, {out!r}, {err!r}\nexit {done.returncode}\n{done.out[:800]}\n{done.err[:1600]}"
    return tap.ok(done.returncode == code and out in done.out and err in done.err, name, note)


def content(path):
    return Path(path).read_bytes()


def tensors(path):
    data, rows = content(path), header(path)
    start = 8 + struct.unpack("<Q", data[:8])[0]
    return {name: data[start + row["data_offsets"][0]:start + row["data_offsets"][1]]
            for name, row in rows.items() if name != "__metadata__"}


def test_from_scratch():
    done = train(*NEW, *SHORT, "--rate", "0.05", "--schedule", "cosine", "--epochs", 20, "-o", "new.safetensors", "--json")
    check("from scratch", done, 0)
    report = json.loads(done.out)
    lines = re.findall(r"^epoch (\d+) of 20: loss [\d.]+, [\d.]+ % right; validation [\d.]+, [\d.]+ %.*; rate [\d.e-]+, .*photos/s",
                       done.err, re.M)
    tap.ok(lines == [str(i + 1) for i in range(20)], "a line for each epoch", done.err)
    tap.ok(report["accuracy"]["train"]["accuracy"] > 0.8 and report["source"] is None and report["network"] == "inception_v2",
           "it has learnt", report)
    told = header("new.safetensors")["__metadata__"]
    tap.ok(told["labels"] == "blue\ngreen\nred" and told["input_width"] == "32" and told["depth_multiplier"] == "0.1"
           and "training_best" not in told and float(told["test_accuracy"]) == round(
               report["accuracy"]["test"]["accuracy"], 6), "the file says what it is", told)
    tap.ok(not any("Momentum" in name or "AuxLogits" in name for name in tensors("new.safetensors")), "and holds no more")
    records = [json.loads(line) for line in call("classify", "-m", "new.safetensors", "colours", "-f", "jsonl").out.splitlines()]
    hits = sum(Path(r["file"]).parent.name == r["predictions"][0]["label"] for r in records)
    tap.ok(len(records) == 44 and hits >= 35, "classify with it", hits)
    left = os.listdir("new.run")
    tap.ok(len(left) == 1 and left[0].startswith("events.out.tfevents."), "of the run the log is left", left)
    log = content("new.run/" + left[0])
    tap.ok(all(tag in log for tag in (b"losses/classes", b"accuracy/validation", b"learning_rate", b"distorted/0",
                                      b"InceptionV2/Mixed_5c/Branch_1/Conv2d_0b_3x3/weights")), "with what TensorBoard shows")
    check("made ready for int8", call("convert", "--int8", "--calibrate", "colours/red", "new.safetensors", "bytes.safetensors"), 0)
    check("and classify", call("classify", "--precision", "auto", "-m", "bytes.safetensors", "colours/red/1.png"), 0, "red")
    return content("new.safetensors")


def test_same_bits():
    words = [*NEW, *SHORT, "--epochs", 3, "--average-decay", "0.9", "--mix-up", "0.2", "--cut-mix", "0.5", "--accumulate", 2,
             "--quiet"]
    check("once", train(*words, "-o", "a.safetensors"), 0)
    check("with one thread", train(*words, "-o", "b.safetensors", "-t", 1), 0)
    tap.ok(content("a.safetensors") == content("b.safetensors"), "the same file with any number of threads")
    check("another seed", train(*words, "-o", "c.safetensors", "--seed", 1), 0)
    tap.ok(content("a.safetensors") != content("c.safetensors"), "another file")

    for name, end in (("int", signal.SIGINT), ("kill", signal.SIGKILL)):
        chance = random.Random(name)
        codes = []
        for _ in range(60):
            more = ["--resume"] if Path(f"{name}.run/checkpoint.safetensors").exists() else ["--force"]
            running = subprocess.Popen([COMMAND, "train", "colours", *map(str, words), "-o", f"{name}.safetensors", *more],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT)
            while not codes and running.poll() is None and not Path(f"{name}.run/checkpoint.safetensors").exists():
                time.sleep(.005)
            try:
                errors = running.communicate(timeout=chance.uniform(.2, 1.5) + .3 * len(codes) if codes else .001)[1]
            except subprocess.TimeoutExpired:
                running.send_signal(end)
                errors = running.communicate()[1]
            codes.append(running.returncode)
            if running.returncode not in (130, -9) or Path(f"{name}.safetensors").exists():
                break  # or the signal came when all was done
        stopped = {"int": 130, "kill": -9}[name]
        tap.ok(stopped in codes and set(codes) <= {0, stopped},
               f"stopped by SIG{name.upper()} and resumed until it is done", (codes, errors))
        tap.ok(Path(f"{name}.safetensors").exists() and content(f"{name}.safetensors") == content("a.safetensors"),
               "gives the same bits")


def logged(name):
    """The first inputs of a run, from its log: rows of pixels, three numbers each."""
    Path(name).mkdir()
    pictures = re.findall(rb"\x89PNG\r\n\x1a\n.*?IEND.{4}", content(f"{name}.run/{os.listdir(f'{name}.run')[0]}"), re.S)
    for i, data in enumerate(pictures):
        Path(f"{name}/{i}.png").write_bytes(data)
        call("prepare", "-m", f"{name}.safetensors", "--crop", "full", f"{name}/{i}.png", "-o", f"{name}/{i}.npy")
        pixels = list(struct.iter_unpack("3f", content(f"{name}/{i}.npy")[-32 * 32 * 3 * 4:]))
        yield [pixels[row:row + 32] for row in range(0, 32 * 32, 32)]


def test_mixing():
    """Photos of one colour each stay so where whole photos are mixed; where parts are, all of a batch have one rectangle."""
    for i in range(40):
        label, level = ("dark", 2 * i) if i % 2 else ("light", 250 - 2 * i)
        os.makedirs(f"flat/{label}", exist_ok=True)
        rows = b"".join(b"\0" + bytes([level, 60, 200]) * 24 for _ in range(24))
        Path(f"flat/{label}/{i}.png").write_bytes(png_of(24, 24, rows))
    for name, words in (("plain", []), ("blend", ["--mix-up", 1]), ("cut", ["--cut-mix", 1]), ("both", ["--mix-up", 1, "--cut-mix", 1])):
        check(f"{name}: mixed", call("train", "flat", *NEW, *SHORT, *words, "--epochs", 1, "-o", f"{name}.safetensors"), 0)
    blended = list(logged("blend"))
    tap.ok(len(blended) == 4 and all(len({pixel for row in rows for pixel in row}) == 1 for rows in blended), "--mix-up: one colour")
    boxes = set()
    for rows in logged("cut"):
        colours = {pixel for row in rows for pixel in row}
        for colour in colours:
            ys, xs = zip(*((y, x) for y in range(32) for x in range(32) if rows[y][x] == colour))
            if len(ys) == (max(ys) - min(ys) + 1) * (max(xs) - min(xs) + 1):
                boxes.add((min(ys), max(ys), min(xs), max(xs)))
        tap.ok(len(colours) == 2, "--cut-mix: two colours", colours)
    tap.ok(len(boxes) == 1, "one of them in a rectangle, the same for all of a batch", boxes)
    learnt = [tensors(f"{name}.safetensors") for name in ("plain", "blend", "cut", "both")]
    tap.ok(all(a != b for i, a in enumerate(learnt) for b in learnt[:i]), "four kinds of photos, four networks")


def retold(data, key, value):
    """The file with another text."""
    start = 8 + struct.unpack("<Q", data[:8])[0]
    rows = json.loads(data[8:start])
    rows["__metadata__"][key] = value
    text = json.dumps(rows).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return struct.pack("<Q", len(text)) + text + data[start:]


def stop(words, output):
    """Runs until there is a checkpoint, then presses Ctrl-C."""
    running = subprocess.Popen([COMMAND, "train", "colours", *map(str, words), "-o", output], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=ENVIRONMENT)
    while running.poll() is None and not Path(output.replace(".safetensors", ".run/checkpoint.safetensors")).exists():
        time.sleep(.02)
    running.send_signal(signal.SIGINT)
    return running.communicate()[1].decode(), running.returncode


def test_resume():
    words = [*NEW, *SHORT, "--epochs", 300]
    errors, code = stop(words, "long.safetensors")
    tap.ok(code == 130 and "--resume goes on" in errors and not Path("long.safetensors").exists(), "Ctrl-C", (code, errors))
    where = "long.run/checkpoint.safetensors"
    check("a checkpoint is a model", call("classify", "-m", where, "colours/red/0.png"), 0, "red")
    tap.ok(int(header(where)["__metadata__"]["global_step"]) > 0, "and tells its step")
    check("a run that was begun", train(*words, "-o", "long.safetensors"), 74, "", "--resume goes on with it, --force begins anew")
    other = [*NEW, *SHORT, "--rate", "0.03", "--epochs", 300, "-o", "long.safetensors", "--resume"]
    check("other options", train(*other), 65, "", "was begun with rate=0.02, not rate=0.03")
    check("another size", train(*NEW[:-1], 48, *SHORT, "--epochs", 300, "-o", "long.safetensors", "--resume"), 65, "",
          "was begun with input-size=32, not input-size=48")
    Path("colours/red/extra.png").write_bytes(picture(COLOURS["red"], "extra"))
    check("other photos", train(*words, "-o", "long.safetensors", "--resume"), 65, "", "was begun with photos=")
    os.unlink("colours/red/extra.png")
    for more, word in ((["--seed", 5], "seed=0, not seed=5"), (["--class-weights", "red=2"], "class-weights=")):
        check(f"another {word}", train(*words, *more, "-o", "long.safetensors", "--resume"), 65, "", "was begun with " + word)
    whole = content(where)
    Path(where).write_bytes(whole[:-100])
    check("a damaged checkpoint", train(*words, "-o", "long.safetensors", "--resume"), 65, "", where)
    for wrong in ("-5", "18446744073709551615", "abc", "99999999"):
        Path(where).write_bytes(retold(whole, "global_step", wrong))
        check(f"a step of {wrong}", train(*words, "-o", "long.safetensors", "--resume"), 65, "", where)
    Path(where).write_bytes(retold(whole, "training_best", "2147483647 1 0"))
    check("a best epoch to come", train(*words, "-o", "long.safetensors", "--resume"), 65, "", "its best epoch cannot be")
    Path(where).write_bytes(whole[:-100])
    check("nothing to resume", train(*words, "-o", "none.safetensors", "--resume"), 66, "", "no checkpoint to resume from")
    shutil.rmtree("none.run", ignore_errors=True)
    check("a mistake on the way leaves the checkpoint", train(*words, "-o", "long.safetensors", "--force", "--class-weights",
                                                              "rad=2"), 64, "", "rad")
    tap.ok(content(where) == whole[:-100], "as it is")
    Path("long.run/checkpoint.safetensors.1-0.partial").write_text("of one that was killed")
    check("begun anew", train("-n", "inception_v2", *NEW[2:], *SHORT, "--epochs", 1, "-o", "long.safetensors", "--force", "-q"), 0)
    left = os.listdir("long.run")
    tap.ok(all(name.startswith("events.") for name in left), "and only the logs are left", left)


def test_unfreeze(model):
    start = ["-m", "new.safetensors", *SHORT, "--rate", "0.01", "--epochs", 3]
    check("the last block", train(*start, "--unfreeze", "Mixed_5c", "-o", "some.safetensors"), 0, "training ")
    before, after = tensors("new.safetensors"), tensors("some.safetensors")
    moved = {name for name in before if before[name] != after[name] and "/" in name}
    tap.ok(moved and all("/Mixed_5c/" in name or "/Logits/" in name for name in moved), "nothing else moves", sorted(moved))
    tap.ok(not any("moving_" in name for name in moved), "nor statistics")
    told = header("some.safetensors")["__metadata__"]
    tap.ok(told["source_network"] == "inception_v2" and "trained=Mixed_5c" in told["training"], "says from what", told)
    check("two, and statistics", train(*start, "--unfreeze", "InceptionV2/Mixed_5b,Mixed_5c", "--batch-statistics", "-o",
                                       "more.safetensors", "-q"), 0)
    moved = {name for name, data in tensors("more.safetensors").items() if before[name] != data and "/" in name}
    tap.ok(any("/Mixed_5b/" in name for name in moved) and any("moving_mean" in name for name in moved), "move", sorted(moved))
    check("all", train(*start, "--rate", "0.0001", "--unfreeze", "all", "--class-weights", "auto", "-o", "all.safetensors", "-q"), 0)
    moved = {name for name, data in tensors("all.safetensors").items() if before[name] != data and "/" in name}
    tap.ok(any("/Conv2d_1a_7x7/" in name for name in moved), "move", sorted(moved))
    done = train("-m", "bytes.safetensors", *SHORT, "--epochs", 1, "--unfreeze", "Mixed_5c", "-o", "other.safetensors")
    check("one that was ready for int8", done, 0)
    tap.ok("int8_ranges" in header("bytes.safetensors")["__metadata__"]
           and "int8_ranges" not in header("other.safetensors")["__metadata__"], "ranges do not go on with other weights")
    stop(["-m", "new.safetensors", *SHORT, "--epochs", 300, "--unfreeze", "Mixed_5c"], "gone.safetensors")
    found = header("gone.run/checkpoint.safetensors")
    tap.ok("class_means" not in found and not {"temperature", "unknown_threshold"} & set(found["__metadata__"]),
           "nor do class means and temperature with a checkpoint", found["__metadata__"])
    words = ["-m", "new.safetensors", *SHORT, "--epochs", 1, "--layer", "Mixed_4b", "--unfreeze", "Mixed_4b"]
    check("a layer inside, and what is before it", train(*words, "-o", "inner.safetensors"), 0)
    told = header("inner.safetensors")["__metadata__"]
    tap.ok(told["final_layer"] == "Mixed_4b" and "layer=Mixed_4b " in told["training"], "which the file says", told)
    check("no such layer", train(*start, "--unfreeze", "Mixed_9x", "-o", "no.safetensors"), 66, "",
          "no variable of inception_v2 begins with 'Mixed_9x'")
    shutil.rmtree("no.run", ignore_errors=True)


def test_small():
    """More than there are photos, in a step; in the folder of the photos; two at once."""
    os.makedirs("few")
    make_set("few/set", {"blue": 5, "red": 5})
    done = subprocess.run([COMMAND, "train", ".", *NEW, "--epochs", "2", "--accumulate", "3", "-o", "in.safetensors"], cwd="few/set",
                          capture_output=True, env=ENVIRONMENT, timeout=300)
    tap.ok(done.returncode == 0 and b"a step is of" in done.stderr and b"epoch 2 of 2" in done.stderr, "a step of all", done.stderr)
    done = subprocess.run([COMMAND, "train", ".", *NEW, "--epochs", "1", "--force", "-o", "in.safetensors", "-j"], cwd="few/set",
                          capture_output=True, env=ENVIRONMENT, timeout=300)
    tap.ok(done.returncode == 0 and [c["label"] for c in json.loads(done.stdout)["classes"]] == ["blue", "red"],
           "the run's folder is no class", done.stderr)
    words = [COMMAND, "train", "colours", *NEW, *SHORT, "--epochs", "300", "-o", "two.safetensors"]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    while first.poll() is None and not Path("two.run/checkpoint.safetensors").exists():
        time.sleep(.02)
    check("a second process", train(*NEW, *SHORT, "--epochs", 300, "-o", "two.safetensors", "--resume"), 74, "",
          "another process trains here")
    first.kill()
    first.wait()


def test_without_heads():
    """Too small an input for V3's auxiliary classifier: what comes of it is converted, too."""
    done = train("-n", "v3", "--depth-multiplier", "0.1", "--from-scratch", "--input-size", 75, *SHORT, "--epochs", 1,
                 "-o", "heads.safetensors")
    check("V3 on a small input", done, 0)
    for out in ("again.safetensors", "heads.ckpt", "heads.onnx"):
        check(f"and is converted to {out}", call("convert", "heads.safetensors", out), 0)
    tap.ok(content("heads.safetensors") == content("again.safetensors"), "to the same file")


def test_labels():
    """Several labels: yes or no to each, trained as a whole."""
    rows = [f"colours/{label}/{i}.png,{label}{'|cold' if label == 'blue' else ''}" for label, count in COUNTS.items()
            for i in range(count)]
    Path("labels.csv").write_text("file,labels\n" + "\n".join(rows) + "\n")
    done = call("train", "labels.csv", *NEW, *SHORT, "--rate", "0.05", "--schedule", "cosine", "--epochs", 20, "--json", "-q")
    check("several labels", done, 0)
    report = json.loads(done.out)
    tap.ok(report["activation"] == "sigmoid" and report["accuracy"]["train"]["accuracy"] > .8, "are learnt", report)
    answer = json.loads(call("classify", "-m", "labels.safetensors", "-j", "colours/blue/1.png").out)[0]["predictions"]
    tap.ok({p["label"] for p in answer if p["probability"] > .5} == {"blue", "cold"}, "and told", answer)
    rows = [f"colours/{label}/{i}.png,{'cold' if label == 'blue' else ''}" for label, count in COUNTS.items() for i in range(count)]
    Path("one.csv").write_text("file,labels\n" + "\n".join(rows) + "\n")
    done = call("train", "one.csv", *NEW, *SHORT, "--rate", "0.05", "--schedule", "cosine", "--epochs", 8)
    check("one label", done, 0)
    told = [float(line) for line in re.findall(r"epoch \d of 8: loss [\d.]+, ([\d.]+) % right", done.err)]
    tap.ok(len(told) == 8 and told[-1] > 60, "is told while it is learnt", done.err)


def test_others():
    done = train(*NEW, *SHORT, "--others", "green", "--epochs", 12, "-o", "others.safetensors", "--json")
    check("photos of none of the classes", done, 0)
    report = json.loads(done.out)
    wide = train("-m", "others.safetensors", "--input-size", 48, "-o", "wide.safetensors")
    check("at another size", wide, 0)
    tap.ok(header("wide.safetensors")["__metadata__"]["input_width"] == "48"
           and header("others.safetensors")["__metadata__"]["input_width"] == "32", "which the file says")
    tap.ok(header("others.safetensors")["__metadata__"]["labels"] == "blue\nred" and report["others"]["photos"] >= 1
           and report["accuracy"]["train"]["accuracy"] > 0.8, "are learnt from, and are no class", report)


def test_bad():
    for words, what in ((["--from-scratch"], "--from-scratch wants a network"),
                        ([*NEW, "--unfreeze", "all"], "exclude each other"),
                        ([*NEW, "-m", "new.safetensors"], "exclude each other"),
                        (["-m", "new.safetensors", "--unfreeze", ","], "names no layer"),
                        (["-m", "new.safetensors", "--resume"], "want --unfreeze or --from-scratch"),
                        (["-m", "new.safetensors", "--dropout", "0.5"], "want --unfreeze or --from-scratch"),
                        ([*NEW, "--layer", "Mixed_4b"], "exclude each other"),
                        ([*NEW, "--batch", "0"], "option --batch"), ([*NEW, "--rate", "fast"], "option --rate"),
                        ([*NEW, "--optimiser", "sgd"], "rmsprop, momentum or adam"),
                        ([*NEW, "--label-smoothing", "2"], "option --label-smoothing")):
        check(f"refused: {what}", train(*words, "-o", "no.safetensors"), 64, "", what)
    check("another format", train("-m", "new.safetensors", "-o", "no.onnx"), 64, "", "'inception convert' makes others")
    check("class weights of labels", call("train", "labels.csv", *NEW, "--class-weights", "cold=2", "-o", "no.safetensors"), 64, "",
          "of the output layer alone")
    tap.ok(not Path("no.run").exists(), "no folder either")
    check("an input that gives a map", train(*NEW[:-1], "600", "-o", "no.safetensors"), 65, "", "a map of")
    check("a rate that is too large", train(*NEW, *SHORT, "--rate", "1e6", "--epochs", 4, "-o", "no.safetensors"), 65, "",
          "not finite any more; a smaller rate may help")
    tap.ok(not Path("no.safetensors").exists(), "no file of these")
    shutil.rmtree("no.run", ignore_errors=True)
    shutil.copytree("colours", "rubbish")
    Path("rubbish/red/broken.png").write_bytes(picture(COLOURS["red"], 1)[:300])
    done = call("train", "rubbish", *NEW, *SHORT, "--epochs", 1, "-o", "rubbish.safetensors", "--json")
    check("a broken photo is passed over", done, 1, "", "broken.png")
    tap.ok(json.loads(done.out)["skipped"] == ["red/broken.png"], "and listed", done.out)


with tempfile.TemporaryDirectory() as here:
    os.chdir(here)
    ENVIRONMENT["XDG_CACHE_HOME"] = here + "/cache"
    make_set("colours", COUNTS)
    first = test_from_scratch()
    for test in (test_same_bits, test_mixing, test_resume, test_small, test_without_heads, test_labels, test_others, test_bad):
        tap.attempt(test)
    tap.attempt(test_unfreeze, first)
    os.chdir("/")
tap.done()
