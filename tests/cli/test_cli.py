"""The command as a person runs it.

    test_cli.py [BUILD]         BUILD holds the executable; default: build

Photos are made here. What needs a model uses the GoogLeNet of $INCEPTION_TEST_DATA (default ../shared), or the weights
that $INCEPTION_TEST_MODEL names, and is skipped without either. Only Python's own library is needed.
"""
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402
from material import jpeg, model, png  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
COMMAND = str(BUILD / "inception")
COMMANDS = ["classify", "prepare", "fetch", "models", "inspect", "convert", "features", "train"]
tap = Tap()


class Result:
    def __init__(self, code, out, err):
        self.code, self.raw, self.err = code, out, err.decode("utf-8", "replace")
        self.out = out.decode("utf-8", "replace")

    def __str__(self):
        return f"exit {self.code}\nstdout: {self.out[:600]}\nstderr: {self.err[:600]}"


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "HOME")}
    return {**kept, "HOME": str(Path.cwd() / "home"), "LC_ALL": "C", **more}


def run(*words, stdin=b"", limit=None, **more):
    """`limit`: bytes of the largest file."""
    limited = limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    done = subprocess.run([COMMAND, *words], input=stdin, capture_output=True, env=environment(**more), timeout=300,
                          preexec_fn=limited)
    return Result(done.returncode, done.stdout, done.stderr)


def check(name, result, code, out=None, err=None):
    """Exit code, and text that must occur on standard output and standard error; "": there must be none."""
    good = result.code == code
    for text, said in (out, result.out), (err, result.err):
        good = good and (text is None or text in said) and (text != "" or said == "")
    return tap.ok(good, name, f"expected exit {code}, {out!r}, {err!r}\n{result}")


def shapes(*words, **more):
    """What `prepare` prints for photos, as a list of (file, width) or (file, 'error')."""
    result = run("prepare", "-n", "v1", "--json", *words, **more)
    try:
        found = [(r["file"], "error" if "error" in r else r["decoded"][1]) for r in json.loads(result.out)]
    except ValueError:
        found = None
    return found, result


# ---- Usage ----

def test_help():
    texts = {"general": run("--help"), **{name: run(name, "--help") for name in COMMANDS}}
    for name, result in texts.items():
        check(f"{name}: --help ends with 0", result, 0, "Usage: inception")
        widest = max(result.out.splitlines(), key=len, default="")
        tap.ok(len(widest) <= 80, f"{name}: help fits 80 columns", widest)
        tap.ok(result.err == "", f"{name}: help is on standard output only", result)
        tap.ok(result.raw.isascii(), f"{name}: help is ASCII in the C locale", result)
        tap.ok(re.match(r"Usage: .*\n\nExamples:\n  .*inception ", result.out), f"{name}: examples come first", result)
    for name in COMMANDS:
        tap.ok(run("help", name).out == texts[name].out, f"help {name} is {name} --help")
        tap.ok(f"  {name} " in texts["general"].out, f"general help lists {name}")
    for limit in ("--max-pixels", "--max-bytes", "256M"):
        tap.ok(limit in texts["classify"].out, f"help of classify tells {limit}")
    check("--version", run("--version"), 0, "inception 0.")
    check("classify --version", run("classify", "--version"), 0, "inception 0.")


def test_usage():
    Path("photo.png").write_bytes(png(30, 20))
    check("no command", run(), 64, err="name a command")
    check("misspelt command", run("clasify", "x"), 64, err="did you mean 'classify'?")
    check("a photo without a command", run("photo.png"), 64, err="inception classify photo.png")
    check("help of what there is not", run("help", "nonsense"), 64, err="no command 'nonsense'")
    check("an option in place of the command", run("--top=3"), 64, err="before options")
    check("misspelt option", run("classify", "--fromat=json", "x"), 64, err="did you mean --format?")
    check("hopeless option", run("classify", "--zzzzzz", "x"), 64, err="no option --zzzzzz")
    check("unknown short option", run("classify", "-Z", "x"), 64, err="no option -Z")
    check("ambiguous option", run("classify", "--max=3", "x"), 64, err="one of several")
    check("option without its value", run("classify", "x", "--top"), 64, err="--top needs a value")
    check("flag with a value", run("classify", "--json=3", "x"), 64, err="--json takes no value")
    check("no photo", run("classify"), 64, err="name a photo")
    check("a word too many", run("inspect", "x", "y"), 64, err="one word too many")
    check("a word too few", run("convert", "x"), 64, err="convert needs IN OUT")
    for option, value, allowed in [
            ("--top", "0", "whole number from 1"), ("--top", "ten", "whole number"), ("--top", "3x", "whole number"),
            ("--top", "", "whole number"), ("--top", "99999999999999999999", "whole number"),
            ("--format", "xml", "text, json, jsonl, csv or tsv"), ("--threads", "0", "from 1 to 1024"),
            ("--precision", "int4", "f32, bf16, int8 or auto"), ("--crop", "left", "centre, full or letterbox"),
            ("--max-pixels", "-1", "whole number"), ("--max-pixels", "1 ", "whole number"),
            ("--max-bytes", "1T", "K, M and G"),
            ("--depth-multiplier", "nan", "number from"), ("--depth-multiplier", "-1", "number from"),
            ("--network", "v9", "option --network"), ("--plot", "card.gif", "ends in .png, .svg or .pdf"),
            ("--plot", "-", "ends in .png"), ("--theme", "blue", "light or dark"), ("--plot-scale", "3", "from 1 to 2")]:
        result = run("classify", f"{option}={value}", "photo.png")
        if check(f"{option}={value} is refused", result, 64, err=allowed):
            tap.ok(option in result.err and result.err.count("\n") == 2, f"{option}={value}: one sentence", result)
    Path("no-fonts.conf").write_text("<fontconfig/>")
    fontless = run("classify", "--plot=card.png", "photo.png", FONTCONFIG_FILE=str(Path("no-fonts.conf").resolve()))
    check("--plot without a font", fontless, 65, err="no font on this machine")
    check("double dash: what follows is a name", run("prepare", "-n", "v1", "--", "--top"), 66, err="--top")
    check("options after photos", run("prepare", "photo.png", "-n", "v1"), 0, "(20, 30, 3) (1, 224, 224, 3)")


def test_models():
    table = run("models")
    check("models", table, 0, "inception_resnet_v2")
    tap.ok(max(map(len, table.out.splitlines())) <= 80, "models: 80 columns", table.out)
    rows = json.loads(run("models", "--json").out)
    tap.ok(len(rows) == 6 and all(row["path"] is None for row in rows), "models --json: six, none in the cache", rows)
    cache = Path("cache/inception")
    cache.mkdir(parents=True)
    (cache / "inception_resnet_v2_2016_08_30.ckpt").write_bytes(b"x")
    (cache / "googlenet.caffemodel").write_bytes(b"x")
    here = json.loads(run("models", "-j", XDG_CACHE_HOME=str(Path("cache").resolve())).out)
    found = sorted(row["name"] for row in here if row["path"])
    tap.ok(found == ["googlenet", "inception_resnet_v2"], "models: what is in the cache", found)
    relative = json.loads(run("models", "-j", XDG_CACHE_HOME="cache").out)
    tap.ok(not any(row["path"] for row in relative), "a relative XDG_CACHE_HOME is ignored")


def test_missing_model():
    missing = run("classify", "photo.png")
    check("no model: says what to do", missing, 69, err="inception fetch v4")
    tap.ok(missing.out == "", "no model: nothing on standard output")
    check("a network not in the cache", run("classify", "-m", "V3", "--offline", "photo.png"), 69,
          err="inception fetch v3")
    check("--network without --model chooses from the cache", run("classify", "-n", "V3", "--offline", "photo.png"), 69,
          err="no weights of inception_v3")
    check("neither file nor network", run("classify", "-m", "inceptoin_v3", "photo.png"), 66, err="inception_v3?")
    Path("junk.ckpt").write_bytes(b"junk" * 100)
    check("a file that is no model", run("classify", "-m", "junk.ckpt", "photo.png"), 65, err="junk.ckpt")
    check("inspect of junk", run("inspect", "junk.ckpt"), 65, err="junk.ckpt")
    check("inspect of nothing", run("inspect", "nothing.ckpt"), 66, err="nothing.ckpt")
    check("convert of junk", run("convert", "junk.ckpt", "out.safetensors"), 65, err="junk.ckpt")
    check("convert of junk to ONNX", run("convert", "junk.ckpt", "out.onnx"), 65, err="junk.ckpt")
    tap.ok(not Path("out.safetensors").exists() and not Path("out.onnx").exists(), "convert of junk leaves nothing")
    check("convert to what the ending does not say", run("convert", "junk.ckpt", "out.tflite"), 64, err="say --format")
    check("--int8 without photos", run("convert", "--int8", "a.ckpt", "b.safetensors"), 64, err="want each other")
    check("photos without --int8", run("convert", "--calibrate", "x", "a.ckpt", "b.safetensors"), 64, err="want each other")
    check("int8 to a checkpoint", run("convert", "--int8", "--calibrate", "x", "a.ckpt", "b.ckpt"), 64, err="only model files")
    check("a report of nothing", run("convert", "-j", "a.ckpt", "b.ckpt"), 64, err="wants --int8")
    check("convert to no such format", run("convert", "-f", "tflite", "junk.ckpt", "out"), 64, err="model, tf2 or onnx")
    check("convert to a folder", run("convert", "-f", "onnx", "junk.ckpt", "out/"), 64, err="not 'out/'")
    Path("other.onnx").write_bytes(b"\x08\x07\x12\x07pytorch\x1a\x03" b"1.0:\x00")  # version, producer, no graph
    for words in (["classify", "-m", "other.onnx", "photo.png"], ["inspect", "other.onnx"],
                  ["convert", "other.onnx", "out.safetensors"]):
        check(f"{words[0]}: ONNX is not read", run(*words), 65, err="other.onnx: an ONNX model, which is written but not")


# ---- Photos, seen through prepare, which needs no model ----

def test_folders():
    folder = Path("folder")
    (folder / "sub").mkdir(parents=True)
    for width, name in enumerate(["img10", "img2", "img1", "sub/b", "IMG", ".hidden"], 11):
        (folder / f"{name}.png").write_bytes(png(width, 7))
    (folder / ".git").mkdir()
    (folder / ".git" / "a.png").write_bytes(png(90, 7))
    (folder / "notes.txt").write_text("no photo")
    (folder / "false.jpg").write_text("the extension lies")
    (folder / "empty").write_bytes(b"")
    (folder / "no_extension").write_bytes(png(50, 7))
    (folder / "loop").symlink_to("..")
    (folder / "self").symlink_to("self")
    (folder / "dangling.png").symlink_to("nowhere")
    (folder / "linked.png").symlink_to("img1.png")
    os.mkfifo(folder / "pipe.png")
    found, result = shapes("folder")
    expected = [("folder/IMG.png", 15), ("folder/img1.png", 13), ("folder/img2.png", 12), ("folder/img10.png", 11),
                ("folder/linked.png", 13), ("folder/no_extension", 50), ("folder/sub/b.png", 14)]
    tap.ok(found == expected and result.code == 0 and result.err == "", "folder: what counts, in natural order", result)
    found, _ = shapes("folder/")
    tap.ok(found == expected, "folder with a slash at its end")
    found, result = shapes("photo.png", "folder/sub", "photo.png")
    tap.ok([w for _, w in found] == [30, 14, 30], "words keep their order", result)

    Path("hollow/sub").mkdir(parents=True)
    Path("hollow/readme").write_text("hello there, sixteen bytes")
    check("a folder without photos says why", run("prepare", "-n", "v1", "hollow"), 66, err="no photo in this folder")
    found, result = shapes("hollow", "photo.png")
    tap.ok(result.code == 1 and found == [("hollow", "error"), ("photo.png", 30)], "and the run goes on", result)


def test_failures():
    good = png(40, 30)
    Path("a.png").write_bytes(good)
    Path("bad.png").write_bytes(good[:40])
    Path("text.png").write_text("this is not a photo at all")
    Path("c.png").write_bytes(png(41, 30))
    found, result = shapes("a.png", "bad.png", "missing.png", "text.png", "c.png")
    expected = [("a.png", 40), ("bad.png", "error"), ("missing.png", "error"), ("text.png", "error"), ("c.png", 41)]
    tap.ok(found == expected, "every photo has its own record", result)
    tap.ok(result.code == 1 and "3 of 5 inputs failed" in result.err, "some failed: exit 1 and a count", result)
    check("quiet: no count", run("prepare", "-n", "v1", "-q", "-j", "a.png", "bad.png"), 1, err="")
    text = run("prepare", "-n", "v1", "a.png", "missing.png", "c.png")
    tap.ok(text.code == 1 and len(text.out.splitlines()) == 2 and "missing.png" in text.err, "the same as text", text)
    check("only one, missing", run("prepare", "-n", "v1", "missing.png"), 66, "", "missing.png")
    check("only one, no photo", run("prepare", "-n", "v1", "text.png"), 65, "", "text.png")
    check("only one, truncated", run("prepare", "-n", "v1", "bad.png"), 65, "", "bad.png")
    check("all failed: the first one's class", run("prepare", "-n", "v1", "missing.png", "text.png"), 66)
    check("too many pixels", run("prepare", "-n", "v1", "--max-pixels=1K", "a.png"), 65, "", "a.png")
    check("too many bytes", run("prepare", "-n", "v1", "--max-bytes=10", "a.png"), 65, "", "a.png")
    check("too many bytes on standard input", run("prepare", "-n", "v1", "--max-bytes=10", "-", stdin=good), 65)


def test_lists():
    names = "a.png\nc.png\n"
    expected = [("a.png", 40), ("c.png", 41)]
    for kind, text in [("lines", names), ("no newline at the end", names[:-1]), ("CRLF", names.replace("\n", "\r\n")),
                       ("blank lines", "\n\na.png\n\nc.png\n\n"), ("zero bytes", names.replace("\n", "\0")),
                       ("byte order mark", "\ufeff" + names)]:
        Path("list").write_bytes(text.encode())
        found, result = shapes("--files-from", "list")
        tap.ok(found == expected and result.code == 0, f"--files-from: {kind}", result)
        found, _ = shapes("--files-from=-", stdin=text.encode())
        tap.ok(found == expected, f"--files-from -: {kind}")
    Path("new\nline.png").write_bytes(png(33, 5))
    found, _ = shapes("--files-from=-", stdin=b"new\nline.png\0a.png\0")
    tap.ok(found == [("new\nline.png", 33), ("a.png", 40)], "--files-from: a name with a newline, zero bytes")
    found, _ = shapes("--files-from=-", "folder/sub", stdin=b"a.png")
    tap.ok(found == [("folder/sub/b.png", 14), ("a.png", 40)], "--files-from after words")
    check("--files-from: missing", run("prepare", "-n", "v1", "--files-from=nolist"), 66, err="nolist")
    check("standard input twice", run("prepare", "-n", "v1", "--files-from=-", "-"), 64, err="only once")


def test_streams():
    found, _ = shapes("-", stdin=png(44, 9))
    tap.ok(found == [("-", 44)], "a photo on standard input")
    check("nothing on standard input", run("prepare", "-n", "v1", "-"), 65, err="standard input")
    Path(os.fsdecode(b"caf\xe9 \xff.png")).write_bytes(png(60, 5))
    Path("esc\x1b[31m.png").write_bytes(png(61, 5))
    Path("gr\u00fcn \u6f22.png").write_bytes(png(62, 5))
    found, result = shapes(b"caf\xe9 \xff.png", "esc\x1b[31m.png", "gr\u00fcn \u6f22.png")
    tap.ok(found == [("caf\ufffd \ufffd.png", 60), ("esc\x1b[31m.png", 61), ("gr\u00fcn \u6f22.png", 62)],
           "names that are not UTF-8, control characters, other scripts", result)
    result.raw.decode("utf-8")
    text = run("prepare", "-n", "v1", "esc\x1b[31m.png", b"caf\xe9 \xff.png", "esc\x1b[31m.nothing")
    tap.ok("\x1b" not in text.out + text.err, "no control characters reach a terminal", text)
    tap.ok(r"$'caf\351 \377.png': (5, 60, 3)" in text.raw.decode("utf-8"), "text is valid UTF-8", text)
    for words in (["--help"], ["models"], ["prepare", "-n", "v1", "a.png"], ["prepare", "-n", "v1", "-j", "a.png"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([COMMAND, *words], stdout=full, stderr=subprocess.PIPE, env=environment())
        tap.ok(done.returncode == 74 and b"standard output" in done.stderr, f"a full disk is noticed: {words[0]}", done)
    for words in (["--help"], ["classify", "--help"], ["models"], ["models", "-j"], ["prepare", "-n", "v1", "a.png"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([COMMAND, *words], stdout=writing, stderr=subprocess.PIPE, env=environment())
        os.close(writing)
        tap.ok(done.returncode == 141 and done.stderr == b"", f"a reader that has gone: quiet: {' '.join(words)}", done)
    Path("thousands").write_text("a.png\n" * 20000)
    many = subprocess.Popen([COMMAND, "prepare", "-n", "v1", "--files-from=thousands"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment())
    many.stdout.readline()
    many.stdout.close()
    err = many.stderr.read()
    tap.ok(many.wait(timeout=60) == 141 and err == b"", "a reader that goes, as head does: quiet", (many.returncode, err))

def test_interrupt():
    Path("many").write_text("a.png\n" * 200000)
    many = subprocess.Popen([COMMAND, "prepare", "-n", "v4", "-j", "--files-from=many"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment())
    first = many.stdout.readline() + many.stdout.readline()
    many.send_signal(signal.SIGINT)
    rest = many.stdout.read()  # not communicate(), which would lose what readline() has read ahead
    err = many.stderr.read()
    many.wait(timeout=60)
    try:
        count = len(json.loads(first + rest))
    except ValueError:
        count = 0
    tap.ok(many.returncode == 130 and 0 < count < 200000, "Ctrl-C: exit 130, the array is whole",
           f"{many.returncode} {count} {err}")
    waiting = subprocess.Popen([COMMAND, "prepare", "-n", "v4", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    time.sleep(0.5)
    waiting.send_signal(signal.SIGINT)
    try:
        code = waiting.wait(timeout=20)
    except subprocess.TimeoutExpired:
        waiting.kill()
        code = None
    waiting.communicate()
    tap.ok(code == 130, "Ctrl-C while waiting for standard input", code)


# ---- prepare ----

def read_npy(path):
    data = Path(path).read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + length])  # a Python dictionary, by definition of the format
    return data[:8], (10 + length) % 64, header, data[10 + length:]


def test_prepare():
    check("prepare needs a network", run("prepare", "a.png"), 64, err="--network")
    check("prepare in any case", run("prepare", "a.png", "-n", "Inception_V3"), 0, "(30, 40, 3) (1, 299, 299, 3)\n")
    check("a deviating crop is shown", run("prepare", "a.png", "-n", "v3", "--crop=full"), 0, "3) crop full\n")
    check("so is fast decoding, which changes no PNG", run("prepare", "a.png", "-n", "v3", "--fast-decode"), 0,
          "(30, 40, 3) (1, 299, 299, 3) decode fast\n")
    record = json.loads(run("prepare", "a.png", "-n", "v3", "--fast-decode", "-j").out)[0]
    tap.ok(record["decode"] == "fast" and record["decoded"] == [30, 40, 3], "and in the record", record)
    Path("large.jpg").write_bytes(jpeg(1600, 1200))
    for network, side, width, height in ("v3", 299, 800, 600), ("v1", 224, 400, 300):
        check(f"a JPEG photo, reduced as far as {network} allows",
              run("prepare", "large.jpg", "-n", network, "--fast-decode"), 0,
              f"({height}, {width}, 3) (1, {side}, {side}, 3) decode fast\n")
    check("prepare -o x.npy", run("prepare", "a.png", "-n", "v3", "-o", "x.npy"), 0, "(1, 299, 299, 3)")
    magic, rest, header, values = read_npy("x.npy")
    tap.ok(magic == b"\x93NUMPY\x01\x00" and rest == 0 and len(values) == 299 * 299 * 3 * 4 and header == {
        "descr": "<f4", "fortran_order": False, "shape": (1, 299, 299, 3)}, "x.npy is a NumPy file", (rest, header))
    floats = struct.unpack(f"<{299 * 299 * 3}f", values)
    tap.ok(-1 <= min(floats) < max(floats) <= 1, "its values lie in [-1, 1]", (min(floats), max(floats)))
    umask = os.umask(0)
    os.umask(umask)
    tap.ok(Path("x.npy").stat().st_mode & 0o777 == 0o666 & ~umask, "its mode is that of the user's mask")
    check("prepare -o x.png", run("prepare", "a.png", "-n", "v3", "-o", "x.png"), 0)
    found, result = shapes("x.png")
    tap.ok(found == [("x.png", 299)], "x.png is a photo of the input's size", result)
    seen = {}
    for words in ([], ["--distort=1"], ["--distort=2"], ["--distort=1", "--slow-augmentation"]):
        shown = "".join([f" distort {word[-1]}" for word in words[:1]] + [" slow"] * (len(words) > 1))
        for _ in range(2):
            check(" ".join(["prepare", *words]), run("prepare", "a.png", "-n", "v3", "-o", "d.npy", *words), 0,
                  f"(1, 299, 299, 3){shown}\n")
            seen.setdefault(read_npy("d.npy")[3], []).append(words)
    tap.ok(list(seen.values()) == [[[]] * 2, [["--distort=1"]] * 2, [["--distort=2"]] * 2,
                                   [["--distort=1", "--slow-augmentation"]] * 2], "each distortion twice the same, all different")
    Path("d.npy").unlink()
    record = json.loads(run("prepare", "a.png", "-n", "v3", "-j", "--distort=1", "--slow-augmentation").out)[0]
    tap.ok(record["distort"] == 1 and record["augmentation"] == "slow", "and in the record", record)
    check("only distortions are slow", run("prepare", "a.png", "-n", "v3", "--slow-augmentation"), 64, err="wants --distort")
    check("two crops", run("prepare", "a.png", "-n", "v3", "--distort=1", "--crop=full"), 64, err="--crop")
    check("an unknown ending", run("prepare", "a.png", "-n", "v3", "-o", "x.dat"), 64, err="neither in .npy")
    check("its format named", run("prepare", "a.png", "-n", "v3", "-o", "x.dat", "-f", "npy"), 0)
    check("a folder that is not there", run("prepare", "a.png", "-n", "v3", "-o", "no/x.npy"), 74, err="no/x.npy")
    check("several photos", run("prepare", "a.png", "folder", "-n", "v1", "-o", "seen", "-f", "png"), 0)
    made = sorted(str(p.relative_to("seen")) for p in Path("seen").rglob("*.png"))
    tap.ok(made == sorted(f"{n}.png" for n in ["a.png", "IMG.png", "img1.png", "img2.png", "img10.png", "linked.png",
                                               "no_extension", "sub/b.png"]), "a file for each, named after it", made)
    os.makedirs("over")
    for name in ("a", "a.png"):
        Path("over", name).write_bytes(png(20, 20))
    before = Path("over/a.png").read_bytes()
    check("not over a photo that comes later", run("prepare", "over", "-n", "v1", "-f", "png", "-o", "over"), 1,
          err="over/a.png: would be written over a photo of this run")
    tap.ok(Path("over/a.png").read_bytes() == before, "which stays")
    for times in "once", "again":
        check(f"a folder inside, {times}", run("prepare", "over", "-n", "v1", "-o", "over/seen", "-f", "png"), 0)
    tap.ok(not Path("over/seen/seen").exists(), "what was made is no photo the next time", list(Path("over").rglob("*")))
    result = run("prepare", "folder/sub/b.png", "folder/sub", "-n", "v1", "-o", "same")
    check("two photos of one name", result, 1, err="already written")
    left = sorted(p.name for p in Path.cwd().iterdir() if p.name.startswith("x."))
    tap.ok(left == ["x.dat", "x.npy", "x.png"], "no temporary files stay", left)


# ---- What needs a model ----

def test_classify(path):
    one = run("classify", "-m", path, "a.png")
    lines = one.out.split("\n")
    tap.ok(one.code == 0 and lines[:3] == ["Using GoogLeNet CNN", "Prediction: Probability", ""] and lines[13:] == [""]
           and all(re.fullmatch(r".+: \d+\.\d\d%", line) for line in lines[3:13]), "classify: the article's lines", one)
    several = run("classify", "-m", path, "-k", "3", "a.png", "bad.png", "c.png")
    lines = several.out.split("\n")
    tap.ok(several.code == 1 and lines[3::5] == ["== a.png ==", "== c.png =="] and lines[2::5] == ["", "", ""] and
           several.out.count("Using") == 1 and "bad.png" in several.err, "several photos, one bad", several)
    result = run("classify", "-m", path, "--format=json", "a.png", "bad.png", "c.png")
    records = json.loads(result.out)
    tap.ok([r["file"] for r in records] == ["a.png", "bad.png", "c.png"] and set(records[1]) == {"file", "error"} and
           list(records[0]) == ["file", "network", "input", "predictions"] and result.code == 1, "JSON records", result)
    first = records[0]
    tap.ok(first["network"] == "googlenet" and first["input"] == {"width": 40, "height": 30} and
           list(first["predictions"][0]) == ["index", "wnid", "label", "probability", "logit"], "fields", first)
    lines = run("classify", "-m", path, "-f", "jsonl", "-k", "1000", "a.png", "c.png").out.splitlines()
    whole = json.loads(lines[0])["predictions"]
    order = [p["probability"] for p in whole]
    tap.ok(len(lines) == 2 and len(whole) == 1000 and {p["index"] for p in whole} == set(range(1000)) and
           order == sorted(order, reverse=True) and abs(sum(order) - 1) < 1e-4, "JSON lines, all classes")
    tap.ok(whole[:10] == first["predictions"], "the same numbers whatever -k and the format")
    tap.ok(f"{100 * whole[0]['probability']:.2f}%" == one.out.split("\n")[3].rsplit(" ", 1)[1], "text and JSON agree")
    check("-k beyond the classes", run("classify", "-m", path, "-k", "1001", "a.png"), 64, err="1000 classes")
    check("the wrong network", run("classify", "-m", path, "-n", "v3", "a.png"), 65, err="googlenet")
    cropped = json.loads(run("classify", "-m", path, "-j", "--crop=full", "a.png").out)[0]
    tap.ok(cropped["crop"] == "full", "a deviating crop is in the record")
    check("and in the text", run("classify", "-m", path, "--crop=letterbox", "a.png"), 0, "Crop: letterbox")
    fast = json.loads(run("classify", "-m", path, "-j", "--fast-decode", "a.png").out)[0]
    tap.ok(fast.pop("decode") == "fast" and "decode" not in first, "fast decoding is in the record", fast)
    tap.ok(fast["predictions"] == first["predictions"], "and changes no PNG")
    check("and in the text", run("classify", "-m", path, "--fast-decode", "a.png"), 0, "Decode: fast")
    Path("large.jpg").write_bytes(jpeg(1600, 1200))
    both = [json.loads(run("classify", "-m", path, "-j", "large.jpg", *word).out)[0] for word in ([], ["--fast-decode"])]
    tap.ok([r["input"] for r in both] == [{"width": 1600, "height": 1200}, {"width": 400, "height": 300}],
           "a JPEG photo, reduced", both)
    # Of one colour, so the inputs are the same but for sums of weights that are 1 to the last bit or two.
    tap.ok(all(a["index"] == b["index"] and abs(a["probability"] - b["probability"]) < 1e-5
               for a, b in zip(*(r["predictions"] for r in both))), "the same answer", both)
    pair = run("classify", "-m", path, "-m", path, "-k", "2", "a.png")
    tap.ok(pair.code == 0 and pair.out.startswith("Using GoogLeNet (") and "CNNs" in pair.out and
           len(pair.out.splitlines()) == 6, "two networks side by side", pair)
    heads = pair.out.splitlines()[3].split()
    tap.ok(len(heads) == 2 and all(path.startswith(head.rstrip("…")) for head in heads),
           "two models of one network stand under their paths", pair)
    records = json.loads(run("classify", "-m", path, "-m", path, "-j", "a.png", "missing.png").out)
    tap.ok(len(records) == 3 and "error" in records[2] and records[0]["predictions"] == records[1]["predictions"],
           "an object per photo and network, one per failure", records)
    found = run("classify", "-j", "-", stdin=png(40, 30), XDG_CACHE_HOME=str(Path("found").resolve()))
    tap.ok(found.code == 0 and json.loads(found.out)[0]["predictions"] == first["predictions"],
           "no -m: the network in the cache; a photo on standard input", found)
    check("prepare for a model", run("prepare", "-m", path, "a.png"), 0, "(30, 40, 3) (1, 224, 224, 3)")


def test_plot(path):
    def plot(file, *words):
        return run("classify", "-m", path, "--plot", file, *words)
    plain = run("classify", "-m", path, "a.png")
    plotted = plot("card.png", "a.png")
    tap.ok(plotted.code == 0 and plotted.raw == plain.raw and plotted.err == "", "--plot prints the same", plotted)
    sizes = []
    for scale in ("1", "2"):
        check(f"--plot-scale={scale}", plot("card.png", "a.png", f"--plot-scale={scale}", "--theme=dark"), 0)
        sizes.append(struct.unpack(">II", Path("card.png").read_bytes()[16:24]))
    tap.ok(sizes[1] == (2 * sizes[0][0], 2 * sizes[0][1]), "twice the scale, twice the size", sizes)
    check("two networks and a bad photo", plot("card.svg", "-m", path, "a.png", "bad.png", "missing.png"), 1)
    root = xml.etree.ElementTree.parse("card.svg").getroot()
    images = [element for element in root.iter() if element.tag.endswith("}image")]
    tap.ok(root.tag.endswith("}svg") and len(images) == 1, "SVG: one photo, for bad ones add nothing", images)
    check("no photo could be read", plot("none.pdf", "bad.png"), 65)
    several = plot("sheet.svg", *["a.png"] * 13)
    check("13 photos are two pages", several, 0, err="sheet.svg: 2 pages")
    check("of a PDF too", plot("sheet.pdf", "-v", *["a.png"] * 13), 0, err="sheet.pdf: 2 pages")
    check("a folder that is not there", plot("no/card.png", "a.png"), 74, err="no/card.png")
    check("more networks than fit", plot("many.png", "a.png", *["-m", path] * 8), 64, err="draws 8 networks at most, not 9")
    made = sorted(p.name for p in Path.cwd().iterdir() if re.match(r"(card|none|sheet|many)\b.*\.", p.name))
    tap.ok(made == ["card.png", "card.svg", "sheet-1.svg", "sheet-2.svg", "sheet.pdf"], "no other files", made)


def test_cache(path):
    plain = run("classify", "-m", path, "-k1", "a.png")
    for name, cache in ("that cannot be made", "/proc/none"), ("that is a file", str(Path("a.png").resolve())):
        got = run("classify", "-m", path, "-k1", "a.png", XDG_CACHE_HOME=cache)
        tap.ok(got.code == 0 and got.out == plain.out and got.err == "", f"a cache folder {name}", got)
    small = run("classify", "-m", path, "-k1", "a.png", XDG_CACHE_HOME=str(Path("limited").resolve()), limit=1000)
    tap.ok(small.code == 0 and small.out == plain.out, "a limit on the size of files", small)
    tap.ok(not list(Path("limited/inception/packs").iterdir()), "leaves no half of a pack")
    found = str(Path("found").resolve())
    place = run("models", "path", "googlenet", "--json", XDG_CACHE_HOME=found)
    tap.ok(json.loads(place.out)["path"].endswith("googlenet.caffemodel"), "models path --json", place)
    run("classify", "-k1", "a.png", XDG_CACHE_HOME=found)
    tap.ok(len(list(Path("found/inception/packs").iterdir())) == 1, "a pack beside the weights")
    copy = shutil.copytree("found", "removed", symlinks=True)
    gone = run("models", "rm", "googlenet", XDG_CACHE_HOME=str(Path(copy).resolve()))
    tap.ok(gone.code == 0 and not list(Path("removed/inception/packs").iterdir()), "goes with them", gone)
    shutil.copy("a.png", "own.png")
    check("--plot over a photo", run("classify", "-m", path, "--plot", "own.png", "a.png", "own.png"), 64, err="one of the photos")
    shutil.copy("a.png", "own-black.png")
    check("--plot beside a photo", run("classify", "-m", path, "--plot", "own.png", "own-black.png"), 0)
    shutil.copy("a.png", "own.png")
    shutil.copy("a.png", "page-2.png")
    check("as a page", run("classify", "-m", path, "--plot", "page.png", *["a.png"] * 12, "page-2.png"), 64,
          err="one of the photos")
    tap.ok(Path("own.png").read_bytes() == Path("page-2.png").read_bytes() == Path("a.png").read_bytes(), "which stay")


def test_weights(path):
    listed = run("inspect", path)
    check("inspect", listed, 0, "conv1/7x7_s2")
    tensors = json.loads(run("inspect", "--json", path).out)["tensors"]
    tap.ok(len(tensors) == listed.out.count("\n") - 3 and all(t["min"] <= t["mean"] <= t["max"] for t in tensors),
           "inspect --json", len(tensors))
    check("inspect --diff of equal files", run("inspect", path, "--diff", path), 0, "0 not")
    check("convert to a model file", run("convert", path, "g.safetensors"), 0)
    check("convert to a TensorFlow checkpoint", run("convert", "g.safetensors", "g.ckpt"), 0)
    tap.ok(Path("g.ckpt.index").exists(), "its index is there")
    check("the conversions agree", run("inspect", "g.safetensors", "-d", "g.ckpt"), 0, "0 not")
    answers = [json.loads(run("classify", "-j", "-m", m, "a.png").out)[0]["predictions"]
               for m in (path, "g.safetensors", "g.ckpt")]
    tap.ok(answers[0] == answers[1] == answers[2], "and answer alike")
    data = bytearray(Path("g.safetensors").read_bytes())
    data[-5] ^= 0x40
    Path("changed.safetensors").write_bytes(data)
    changed = run("inspect", "-j", "g.safetensors", "-d", "changed.safetensors")
    differences = json.loads(changed.out)["differences"]
    tap.ok(changed.code == 1 and len(differences) == 1, "inspect --diff finds one value", changed)
    result = run("convert", path, "no/g.safetensors")
    tap.ok(result.code in (66, 74) and "no/g.safetensors" in result.err, "convert into a missing folder", result)
    check("convert to ONNX", run("convert", "-v", path, "g.onnx"), 0, err="g.onnx written as ONNX model")
    check("and by --format", run("convert", "--format=onnx", path, "g.ckpt-1"), 0)
    tap.ok(Path("g.onnx").read_bytes() == Path("g.ckpt-1").read_bytes(), "which is the same file")
    check("ONNX into a missing folder", run("convert", path, "no/g.onnx"), 74, err="no/g.onnx: the folder")
    Path("full.onnx").symlink_to("/dev/full")
    check("ONNX to what is no file", run("convert", path, "full.onnx"), 74, err="not a regular file")
    tap.ok(not list(Path.cwd().glob("*.partial")), "nothing half written is left")


def test_int8(path):
    Path("calibrate").mkdir()
    Path("empty").mkdir()
    for name in ("photo.png", "a.png"):
        Path("calibrate", name).write_bytes(Path(name).read_bytes())
    Path("calibrate", "broken.png").write_bytes(Path("a.png").read_bytes()[:50])
    report = run("convert", "--int8", "--calibrate", "calibrate", path, "g8.safetensors")
    check("convert --int8", report, 1, "2 photos; int8 beside f32 on 2 of them", err="broken.png")
    tap.ok("1 of 3 inputs failed" in report.err, "what could not be read is told", report)
    tap.ok(len(re.findall(r"\d dB  ", report.out)) == 58, "a line for each layer", report)
    result = run("classify", "--precision", "int8", "-m", "g8.safetensors", "a.png")
    if "f32 is used" in result.err:
        tap.skip("classify in int8", "no instructions for it")
    else:
        check("classify in int8", result, 0, "%")
        check("int8 of weights without ranges", run("classify", "--precision=int8", "-m", path, "a.png"), 65,
              err="has no ranges for int8")
        first = json.loads(run("classify", "--precision=int8", "-jm", "g8.safetensors", "a.png").out)
        again = json.loads(run("classify", "--precision=int8", "-jm", "g8.safetensors", "-t1", "a.png").out)
        tap.ok(first == again, "the same answer with a pack and with one thread", (first, again))
    check("ranges go on with the file", run("convert", "g8.safetensors", "h8.safetensors"), 0)
    tap.ok(Path("g8.safetensors").read_bytes() == Path("h8.safetensors").read_bytes(), "to the byte")
    check("no photos", run("convert", "--int8", "--calibrate", "empty", path, "i.safetensors"), 66, err="no photo could be read")
    check("no such folder", run("convert", "--int8", "--calibrate", "none", path, "i.safetensors"), 66, err="none")
    tap.ok(not Path("i.safetensors").exists(), "nothing was written")


def test_labels(path):
    plain = [p["label"] for p in json.loads(run("classify", "-j", "-m", path, "-k3", "a.png").out)[0]["predictions"]]
    rows = [f'{i},"Klasse, {i}: \u72ac"\r\n' for i in range(1000)]
    Path("labels.csv").write_bytes(("\ufeffindex,name\r\n" + "".join(reversed(rows))).encode())
    answer = json.loads(run("classify", "-j", "-m", path, "-k3", "--labels", "labels.csv", "a.png").out)[0]["predictions"]
    tap.ok(all(p["label"] == f"Klasse, {p['index']}: \u72ac" for p in answer), "classify --labels", answer)
    tap.ok(all(re.fullmatch(r"n\d{8}", p["wnid"]) for p in answer), "the WordNet ids stay", answer)
    check("convert --labels", run("convert", "-l", "labels.csv", path, "named.safetensors"), 0)
    kept = json.loads(run("classify", "-j", "-m", "named.safetensors", "-k3", "a.png").out)[0]["predictions"]
    tap.ok(kept == answer and [p["label"] for p in kept] != plain, "the model file keeps the names", kept)
    check("convert --labels to a checkpoint", run("convert", "-l", "labels.csv", path, "n.ckpt"), 64, err="holds no names")
    check("convert --labels to ONNX", run("convert", "-l", "labels.csv", path, "named.onnx"), 0)
    tap.ok("Klasse, 999: \u72ac\n".encode()[:-1] in Path("named.onnx").read_bytes(), "ONNX keeps the names")
    Path("few.txt").write_text("a\nb\n")
    check("too few names", run("classify", "-m", path, "-l", "few.txt", "a.png"), 65,
          err="few.txt: 2 names for the 1000 classes")
    check("no such names", run("classify", "-m", path, "-l", "no.txt", "a.png"), 66, err="no.txt")


def test_bench():
    small = ("bench", "-n", "v2", "--depth-multiplier", "0.25", "-s", "0.05")
    check("bench: neither weights nor a network", run("bench"), 69, err="inception fetch")
    check("bench: no such network", run("bench", "-n", "v9"), 64, err="option --network")
    check("bench: a batch of none", run(*small, "-b", "0"), 64, err="from 1 to 1024")
    check("bench: no such weights", run("bench", "-m", "missing.ckpt"), 66, err="missing.ckpt")
    text = run(*small, "-t", "1", "--layers", "photo.png")
    check("bench", text, 0, "Inception_V2, f32, 1 thread, batch 1\n  a photo")
    tap.ok("  photos " in text.out and "Mixed_5c/" in text.out and "fewer multiplications" in text.out, "bench --layers", text)
    found = json.loads(run(*small, "-j", "-b", "3", "--layers", "photo.png").out)[0]
    tap.ok(found["network"] == "inception_v2" and found["batch"] == 3 and found["runs"] >= 5 and
           found["median_ms"] <= found["p99_ms"] and all(found[k] > 0 for k in ("open_ms", "decode_ms", "memory_bytes")) and
           found["layers"][0]["layer"].startswith("Conv2d_1a_7x7"), "bench --json", found)
    line = run(*small, "-f", "jsonl", "missing.png")
    tap.ok(line.code == 1 and json.loads(line.out)["precision"] == "f32" and "missing.png" in line.err,
           "bench: a photo that is not there", line)


def main():
    for test in (test_help, test_usage, test_models, test_missing_model, test_folders, test_failures, test_lists,
                 test_streams, test_interrupt, test_prepare, test_bench):
        tap.attempt(test)
    path, why = model(tap)
    if not path:
        for name in ("classify", "inspect, convert", "int8", "labels"):
            tap.skip(f"{name} with a model", why)
        return
    Path("found/inception").mkdir(parents=True)
    Path("found/inception/googlenet.caffemodel").symlink_to(path)
    tap.attempt(test_classify, str(path))
    tap.attempt(test_plot, str(path))
    tap.attempt(test_weights, str(path))
    tap.attempt(test_int8, str(path))
    tap.attempt(test_cache, str(path))
    tap.attempt(test_labels, str(path))


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    COMMAND = shutil.copy(COMMAND, Path(folder, "inception"))  # where no model is beside it
    main()
    os.chdir("/")
tap.done()
