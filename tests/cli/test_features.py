"""inception features as a person runs it, its files read back with nothing but Python's own library.

    test_features.py [BUILD]         BUILD holds the executable; default: build

Needs the photos and the GoogLeNet of $INCEPTION_TEST_DATA (default ../shared), and ImageMagick's convert.
"""
import ast
import csv
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
COMMAND = str(BUILD / "inception")
DATA = Path(os.environ.get("INCEPTION_TEST_DATA", ROOT.parent / "shared")).resolve()
ARTICLE = DATA / "photos" / "article"
MODEL = "googlenet.caffemodel"
VALUES = 1024
tap = Tap()


def run(*words, model=True, **more):
    command = [COMMAND, "features", "-t1", *(["-m", MODEL] if model else []), *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=300, env={**os.environ, "LC_ALL": "C"}, **more)
    done.out, done.err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    return done


def check(name, done, code, out="", err=""):
    note = f"expected exit {code}, {out!r}, {err!r}\nexit {done.returncode}\n{done.out[:400]}\n{done.err[:400]}"
    return tap.ok(done.returncode == code and out in done.out and err in done.err, name, note)


# ---- Readers, each by its format's definition ----

def rows_of(data, count, values):
    flat = struct.unpack(f"<{count * values}f", data)
    return [flat[i * values:(i + 1) * values] for i in range(count)]


def read_npy(path):
    data = Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\0", data[:8]
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode("ascii"))
    assert (10 + size) % 64 == 0 and header["descr"] == "<f4" and header["fortran_order"] is False, header
    names = Path(f"{path}.files").read_bytes().decode("utf-8", "surrogateescape").split("\n")
    assert names.pop() == ""
    return names, rows_of(data[10 + size:], *header["shape"])


def read_csv(text):
    head, *rows = csv.reader(text.splitlines(keepends=True))
    assert head == ["file"] + [f"v{i}" for i in range(len(head) - 1)], head[:3]
    assert all(len(row) == len(head) for row in rows)
    return [row[0] for row in rows], [tuple(single(float(v)) for v in row[1:]) for row in rows]


def single(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def read_safetensors(path):
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    tensor = header["features"]
    assert size % 8 == 0 and tensor["dtype"] == "F32" and tensor["data_offsets"] == [0, len(data) - 8 - size], tensor
    return json.loads(header["__metadata__"]["files"]), rows_of(data[8 + size:], *tensor["shape"])


# ---- Tests ----

def test_usage():
    check("no photo", run(), 64, err="name a photo")
    check("a misspelt layer", run("--layer", "incption_4a", "a.jpg"), 64, err="did you mean inception_4a?")
    check("a hopeless layer", run("--layer", "zzz", "a.jpg"), 64, err="--list-layers")
    check("no such weights", run("-m", "no.ckpt", "a.jpg", model=False), 66, err="no.ckpt")
    check("two models", run("-m", MODEL, "a.jpg"), 64, err="can be given once")
    check("an ending nobody knows", run("-o", "x.txt", "a.jpg"), 64, err=".npy, .csv and .safetensors")
    check("npy on standard output", run("-f", "npy", "a.jpg"), 64, err="needs a file")
    check("json without ranking", run("-j", "a.jpg"), 64, err="json wants --similar-to")
    check("csv of a ranking", run("-f", "csv", "-s", "a.jpg", "a.jpg"), 64, err="csv is a file of vectors")
    check("a ranking into a file", run("-o", "x.npy", "-s", "a.jpg", "a.jpg"), 64, err="exclude each other")
    check("--top alone", run("-k", "3", "a.jpg"), 64, err="wants --similar-to")
    check("a picture without a ranking", run("--plot", "o.png", "a.jpg"), 64, err="--plot wants --similar-to")
    check("a picture of standard input", run("-s", "a.jpg", "--plot", "o.png", "-"), 64, err="standard input")
    check("a picture of an unknown kind", run("-s", "a.jpg", "--plot", "o.gif", "a.jpg"), 64, err=".png, .svg or .pdf")
    check("layers of photos", run("--list-layers", "a.jpg"), 64, err="takes no photos")
    check("no folder for the file", run("-o", "nowhere/x.npy", "a.jpg"), 74, err="folder to write it to")
    check("a folder in the file's place", run("-o", "photos.npy", "a.jpg"), 74, err="not a regular file")


def test_layers():
    done = run("--list-layers", "--json")
    layers = {row["layer"]: row["shape"] for row in json.loads(done.out)}
    tap.ok(layers["conv1/7x7_s2"] == [112, 112, 64] and layers["pool5/7x7_s1"] == [1, 1, VALUES]
           and layers["Predictions"] == [1, 1, 1000], "layers with their shapes", layers)
    check("layers as text", run("--list-layers"), 0, "inception_5b         [7,7,1024]\n")
    for name in list(layers)[1::4]:
        shape = layers[name]
        done = run("--layer", name, "-o", "layer.npy", "a.jpg")
        if check(f"layer {name}", done, 0):
            tap.ok(len(read_npy("layer.npy")[1][0]) == shape[0] * shape[1] * shape[2], f"layer {name}: its values")
    row = read_csv(run("--layer", "Predictions", "a.jpg").out)[1][0]
    tap.ok(abs(sum(row) - 1) < 1e-5 and row.index(max(row)) == 347, "Predictions: the bison's is the largest, sum 1")


def test_formats():
    check("npy", run("photos", "-o", "x.npy"), 1, err="2 of 7 inputs failed")
    check("csv", run("photos", "-o", "x.csv"), 1, err="1 of 7 inputs failed")
    check("safetensors", run("photos", "-o", "x.out", "-f", "safetensors"), 1)
    names, rows = read_npy("x.npy")
    wanted = ["photos/1.jpg", "photos/2.jpg", "photos/10.jpg", 'photos/a "b", c.jpg', "photos/l\nf.jpg", "photos/\udcff.jpg"]
    check("the name with a line break has no row in npy", run("photos/l\nf.jpg", "-o", "y.npy"), 64, err="line break")
    tap.ok(not Path("y.npy").exists() and not Path("y.npy.files").exists(), "no row, no file")
    tap.ok(sorted(names) == sorted(wanted[:4] + wanted[5:]), "npy: a name a row, none of the bad ones", names)
    tap.ok(all(len(row) == VALUES for row in rows) and any(rows[0]), "npy: values")
    text = Path("x.csv").read_bytes().decode("utf-8", "surrogateescape")
    csv_names, csv_rows = read_csv(text)
    tap.ok(sorted(csv_names) == sorted(wanted), "csv: every name comes back", csv_names)
    tap.ok([row for name, row in zip(csv_names, csv_rows) if "\n" not in name] == rows, "csv: every bit comes back")
    safe_names, safe_rows = read_safetensors("x.out")
    tap.ok(sorted(safe_names) == sorted(n.replace("\udcff", "\ufffd") for n in wanted), "safetensors: names", safe_names)
    tap.ok(safe_rows == csv_rows, "safetensors: values")
    tap.ok(not [f for f in os.listdir() if f.startswith("x.") and f not in ("x.npy", "x.npy.files", "x.csv", "x.out")],
           "nothing is left behind", os.listdir())
    done = run("photos/1.jpg", "photos/2.jpg")
    tap.ok(done.out.count("\r\n") == 3 and read_csv(done.out)[1] == csv_rows[:2], "csv on standard output")
    before = Path("x.npy").read_bytes()
    check("all photos bad", run("photos/bad.jpg", "-o", "x.npy"), 65, err="bad.jpg")
    tap.ok(Path("x.npy").read_bytes() == before, "the file is as it was")


def test_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([COMMAND, "features", "-m", MODEL, "a.jpg"], stdout=full, stderr=subprocess.PIPE, timeout=300)
    tap.ok(done.returncode == 74 and b"standard output" in done.stderr, "standard output is full", done.stderr)
    limit = f"ulimit -f 40; exec '{COMMAND}' features -m {MODEL} -o full.npy " + "a.jpg " * 30
    done = subprocess.run(["bash", "-c", "trap '' XFSZ; " + limit], capture_output=True, timeout=300)
    tap.ok(done.returncode == 74 and done.stderr.count(b"full.npy: cannot write") == 1, "a file that cannot grow",
           done.stderr)
    tap.ok(not [f for f in os.listdir() if f.startswith("full")], "nothing of it is left", os.listdir())


def test_similar():
    words = ["-s", "a.jpg", "squirrel.jpg", "same.jpg", "a.jpg", "again.jpg", "bad.jpg", "sombrero.jpg", "same.jpg"]
    done = run(*words)
    check("a ranking", done, 1, err="bad.jpg")
    ranks = [(line[9:], float(line[:7])) for line in done.out.splitlines()]
    tap.ok([name for name, _ in ranks[:3]] == ["same.jpg", "same.jpg", "again.jpg"],
           "its copies, then its re-compression; not the photo itself", ranks)
    tap.ok([likeness for _, likeness in ranks[:2]] == [1, 1] and .8 < ranks[2][1] < 1, "1.0 for a copy", ranks)
    tap.ok([r[1] for r in ranks] == sorted((r[1] for r in ranks), reverse=True) and len(ranks) == 5, "in order", ranks)
    found = json.loads(run(*words, "-j").out)
    tap.ok(found[0]["file"] == "bad.jpg" and "error" in found[0], "json: a failure is a record", found)
    tap.ok([r["file"] for r in found[1:]] == [r[0] for r in ranks], "json: the same order", found)
    tap.ok(all(-1 <= r["similarity"] <= 1 for r in found[1:]), "json: cosines", found)
    lines = run(*words, "-f", "jsonl", "-k", "2").out.splitlines()
    tap.ok([json.loads(line).get("similarity") for line in lines] == [None, 1, 1], "jsonl: the two most similar", lines)
    many = run("-s", "a.jpg", "-k", "1", *["squirrel.jpg"] * 70, "same.jpg", "sombrero.jpg")
    tap.ok(many.out == " 1.0000  same.jpg\n", "the best of many, late", many.out)
    check("a contact sheet", run(*words, "--plot", "o.pdf", "-k", "4"), 1, err="bad.jpg")
    if shutil.which("pdftotext"):
        lines = subprocess.run(["pdftotext", "-raw", "o.pdf", "-"], capture_output=True, text=True).stdout.splitlines()
        scores = [f"likeness {100 * r['similarity']:.2f}%" for r in found[1:5]]
        wanted = ["likeness 100.00%", "a.jpg", "likeness 100.00%", "same.jpg", "likeness 100.00%", "same.jpg", scores[2],
                  "again.jpg", scores[3], found[4]["file"], "GoogLeNet"]
        tap.ok([line for line in lines if line.strip("\f")] == wanted, "the photo, then the most similar ones", lines)
    else:
        tap.skip("the photo, then the most similar ones", "no pdftotext")
    check("the photo is none", run("-s", "bad.jpg", "a.jpg"), 65, err="bad.jpg")
    check("the photo is not there", run("-s", "no.jpg", "a.jpg"), 66, err="no.jpg")
    with open("a.jpg", "rb") as file:
        check("the photo on standard input", run("-s", "-", "same.jpg", stdin=file), 0, " 1.0000  same.jpg\n")
    Path("mine.png").write_bytes(Path("a.jpg").read_bytes())
    check("a picture over a photo", run("-s", "a.jpg", "mine.png", "--plot", "mine.png"), 64, err="is one of the photos")
    check("over the photo that is asked about", run("-s", "mine.png", "a.jpg", "--plot", "mine.png"), 64, err="is one of the photos")
    tap.ok(Path("mine.png").read_bytes() == Path("a.jpg").read_bytes(), "which stays")


def make_files():
    weights = [str(ROOT / "tools" / "googlenet_caffemodel.py"), str(DATA / "weights" / "googlenet"), MODEL]
    subprocess.run([sys.executable, *weights], check=True)
    for name in ["squirrel", "sombrero"]:
        shutil.copy(ARTICLE / f"{name}.jpg", ".")
    shutil.copy(ARTICLE / "bison.jpg", "a.jpg")
    shutil.copy("a.jpg", "same.jpg")
    subprocess.run(["convert", "a.jpg", "-quality", "60", "again.jpg"], check=True)
    Path("bad.jpg").write_bytes(Path("a.jpg").read_bytes()[:2000])
    os.mkdir("photos")
    os.mkdir("photos.npy")
    for name in [b"1.jpg", b"2.jpg", b"10.jpg", b'a "b", c.jpg', b"l\nf.jpg", b"\xff.jpg"]:
        subprocess.run(["convert", "rose:", "-resize", f"{100 + name[0]}x", b"jpg:photos/" + name], check=True)
    shutil.copy("bad.jpg", "photos/bad.jpg")


if not (DATA / "weights" / "googlenet").exists() or not ARTICLE.exists():
    tap.skip("features", "no test data")
    tap.done()
with tempfile.TemporaryDirectory() as here:
    os.chdir(here)
    make_files()
    for test in (test_usage, test_layers, test_formats, test_full_disk, test_similar):
        test()
    os.chdir("/")
tap.done()
