"""Whole folders: order, memory, every format, --append, --sort-into, filters, the progress line.

    test_folders.py [BUILD]     BUILD holds the executable and tests/tiny_model; default: build

Runs on a small network whose weights come from a formula, so its answers mean nothing but are always the same. Only
Python's own library is needed.
"""
import base64
import csv
import fcntl
import io
import json
import os
import pty
import random
import resource
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
from tap import Tap  # noqa: E402
from material import png  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
COMMAND = str(BUILD / "inception")
COLUMNS = "file rank of index wnid label probability logit network weights crop decode unknown error file_base64".split()
PREDICTION = ["index", "wnid", "label", "probability", "logit"]
# Labels and ids as a hostile model file may have them.
LABELS = ["tench, Tinca tinca", "crane", "crane, machine", 'a/../b "q", c', "..", "caf\u00e9, caff\u00e8", "plain"]
WNIDS = ["n00000000", "n00000001", "n00000002", "n00000003", "", "n00000005", ""]
FOLDERS = ["n00000000 tench", "n00000001 crane", "n00000002 crane", 'n00000003 a_.._b "q"', "_.", "n00000005 caf\u00e9",
           "plain"]
BIASES = [-1.2, 0.8, 4.8, -2.4, 0.4, 0.9, -10.2]  # they make the answers differ
NASTY = [b"com,ma.png", b'quo"te.png', b"new\nline.png", b"cr\r\n.png", b"tab\t.png", b" blank .png", b"caf\xe9 \xff.png",
         "\u6f22 \ufffd.png".encode(), b"it's.png", b"back\\slash.png", b"=1+1.png", b"esc\x1b[31m.png",
         b"'; touch pwned; '.png",
         b"$(touch pwned).png", b"-rf.png", b"$'x'.png"]
ENVIRONMENT = {**os.environ, "LC_ALL": "C", "HOME": "/nowhere", "TERM": "xterm"}
tap = Tap()


class Result:
    def __init__(self, code, out, err):
        self.code, self.raw, self.err = code, out, err.decode("utf-8", "replace")
        self.out = out.decode("utf-8", "surrogateescape")

    def __str__(self):
        return f"exit {self.code}\nstdout: {ascii(self.out[:800])}\nstderr: {self.err[:800]}"


def words(*more):
    return [COMMAND, "classify", "-m", "tiny.safetensors", "-t", "1", *more]


def run(*more, stdin=b"", **options):
    done = subprocess.run(words(*more), input=stdin, capture_output=True, env=ENVIRONMENT, timeout=300, **options)
    return Result(done.returncode, done.stdout, done.stderr)


def check(name, result, code, out=None, err=None):
    good = result.code == code and (out is None or out in result.out) and (err is None or err in result.err)
    return tap.ok(good, name, f"expected exit {code}, {out!r}, {err!r}\n{result}")


def make_model():
    """The small network, with labels and biases of our own."""
    subprocess.run([BUILD / "tests" / "tiny_model", "plain.safetensors"], check=True)
    subprocess.run([COMMAND, "convert", "plain.safetensors", "unnamed.safetensors"], check=True, stdout=subprocess.DEVNULL)
    data = bytearray(Path("unnamed.safetensors").read_bytes())
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    header["__metadata__"].update(labels="\n".join(LABELS), wnids="\n".join(WNIDS))
    begin, end = next(v["data_offsets"] for k, v in header.items() if "Logits" in k and k.endswith("biases"))
    data[8 + size + begin:8 + size + end] = struct.pack("<7f", *BIASES)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path("tiny.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size:])


def make_photos():
    """photos/: large and small ones in turn, and some that are none; nasty/: names."""
    Path("photos/sub").mkdir(parents=True)
    for i in range(12):
        Path(f"photos/img{i}.png").write_bytes(png(300 + 40 * i if i % 3 == 0 else 5 + i, 9 + 17 * (i % 4), 31 * i))
    Path("photos/broken.png").write_bytes(png(40, 30)[:50])
    Path("photos/sub/img1.png").write_bytes(png(64, 64, 99))
    Path("photos/sub/bad.gif").write_bytes(b"GIF89a")
    Path("photos/notes.txt").write_text("no photo")
    os.mkdir("nasty")
    for i, name in enumerate(NASTY):
        Path(os.fsdecode(b"nasty/" + name)).write_bytes(png(16 + i, 16, 16 * i))


EXPECTED = ["photos/broken.png"] + [f"photos/img{i}.png" for i in range(12)] + ["photos/sub/bad.gif", "photos/sub/img1.png"]


# ---- Formats ----

def table(result, format):
    text = result.raw.decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if format == "tsv" else ",", strict=True))
    return rows[0], [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def raw_name(record):
    exact = record.get("file_base64")
    return base64.b64decode(exact, validate=True) if exact else record["file"].encode()


def rows_of(records):
    """The rows that JSON records stand for."""
    for r in records:
        base = {c: r.get(c, "") for c in ("file", "network", "weights", "crop", "decode", "unknown", "error",
                                      "file_base64")}
        predictions = r.get("predictions", [])
        for rank, p in enumerate(predictions, 1):
            yield {**base, "rank": str(rank), "of": str(len(predictions)), **p}
        if not predictions:
            none = "0" if "predictions" in r else ""
            yield {**base, "rank": none, "of": none, **dict.fromkeys(PREDICTION, "")}


def same_row(row, expected):
    return list(row) == COLUMNS and all(
        row[c] == expected[c] if isinstance(expected[c], str) else float(row[c]) == expected[c] for c in COLUMNS)


def test_formats():
    listed = run("-k", "3", "-j", "photos", "nasty")
    records = json.loads(listed.out)
    tap.ok([r["file"] for r in records[:15]] == EXPECTED and listed.code == 1, "a folder in natural order", listed)
    tap.ok(["error" in r for r in records[:15]] == [n in ("photos/broken.png", "photos/sub/bad.gif") for n in EXPECTED],
           "what failed is in its place", listed)
    tap.ok(len({r["predictions"][0]["index"] for r in records if "predictions" in r}) >= 4, "the answers differ")
    names = {b"nasty/" + name for name in NASTY}
    tap.ok({raw_name(r) for r in records[15:]} == names, "json: every name to the byte", listed)
    tap.ok(sum("file_base64" in r for r in records) == 1, "json: file_base64 only where it is needed")
    lines = run("-k", "3", "--format=jsonl", "photos", "nasty")
    tap.ok([json.loads(line) for line in lines.out.split("\n")[:-1]] == records, "jsonl: the same records", lines)
    for format in ("csv", "tsv"):
        result = run("-k", "3", "-f", format, "photos", "nasty")
        header, rows = table(result, format)
        tap.ok(header == COLUMNS, f"{format}: the header", header)
        wanted = list(rows_of(records))
        wrong = [(a, b) for a, b in zip(rows, wanted) if not same_row(a, b)]
        tap.ok(len(rows) == len(wanted) and not wrong, f"{format}: the same data, through Python's csv", wrong[:2])
        tap.ok({raw_name(r) for r in rows if r["file"].startswith("nasty")} == names, f"{format}: every name to the byte")
        ending = b"\r\n" if format == "csv" else b"\n"
        tap.ok(result.raw.startswith((",".join(COLUMNS) if format == "csv" else "\t".join(COLUMNS)).encode() + ending),
               f"{format}: the line end", result)
    text = run("-k", "1", "nasty")
    shown = [part.split(" ==\n")[0] for part in text.raw.decode().split("\n== ")[1:]]
    back = set()
    for name in shown:
        quoted = name if name.startswith("$'") else "'" + name.replace("'", "'\\''") + "'"
        back.add(subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True).stdout)
    tap.ok(back == names and "\x1b" not in text.out, "text: every name to the byte, by the shell's quotes", back ^ names)
    deviant = run("-k", "1", "-f", "csv", "--crop=full", "--fast-decode", "-m", "tiny.safetensors", "photos/img1.png")
    _, rows = table(deviant, "csv")
    tap.ok([(r["crop"], r["decode"], r["weights"]) for r in rows] == [("full", "fast", "tiny.safetensors")] * 2,
           "csv: a deviating crop and decoder, which of two equal networks", deviant)
    empty = run("-f", "csv", "--threshold=1", "photos/img1.png")
    _, rows = table(empty, "csv")
    tap.ok(len(rows) == 1 and (rows[0]["rank"], rows[0]["of"], rows[0]["index"]) == ("0", "0", ""),
           "csv: a photo without a class has a row", empty)


def test_threads():
    first = run("-f", "csv", "photos", "nasty", "photos").raw
    for threads in ("2", "5"):
        again = run("-f", "csv", "-t", threads, "photos", "nasty", "photos").raw
        tap.ok(again == first, f"the same bytes with {threads} threads")


def peak(*more):
    """Kilobytes that a run takes at most."""
    child = subprocess.Popen(words(*more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    return os.wait4(child.pid, 0)[2].ru_maxrss


def test_memory():
    for count in (30, 3000):
        os.mkdir(f"many{count}")
        for i in range(count):
            os.link("photos/img1.png" if i % 20 == 0 else "photos/broken.png", f"many{count}/a_long_name_of_a_photo{i}.png")
    few, many = peak("-f", "csv", "many30"), peak("-f", "csv", "many3000")
    tap.ok(many - few < 3000, "3000 photos take no more memory than 30", f"{few} {many} KB")
    known = peak("--append=many.jsonl", "many3000")
    tap.ok(known - few < 5000, "nor with --append, but for their names", f"{few} {known} KB")
    tap.ok(len(Path("many.jsonl").read_text().splitlines()) == 3000, "all of them are in the file")
    shutil.rmtree("many3000")


# ---- --append ----

def test_append():
    whole = run("-f", "csv", "-k", "2", "photos", "nasty").raw
    first = run("--append=a.csv", "-k", "2", "photos")
    check("--append: nothing on standard output", first, 1, out="", err="2 of 15 inputs failed")
    tap.ok(first.out == "", "really nothing", first)
    second = run("--append=a.csv", "-k", "2", "photos", "nasty")
    check("what is there is passed over, failures too", second, 0, err="a.csv: 15 photos are in it already")
    tap.ok(Path("a.csv").read_bytes() == whole, "and the rest comes behind")
    third = run("--append=a.csv", "-q", "-k", "2", "photos", "photos", "nasty")
    tap.ok(third.code == 0 and third.err == "" and Path("a.csv").read_bytes() == whole, "once more: nothing to do", third)
    run("-f", "jsonl", "--append=b.out", "photos/img1.png", "photos/img1.png")
    tap.ok(len(Path("b.out").read_text().splitlines()) == 1, "a photo named twice is answered once")
    check("a file of another format", run("-f", "tsv", "--append=b.out", "photos"), 65, err="b.out: line 1 is not")
    check("a file of another network", run("--append=b.jsonl", "-f", "jsonl", "photos", cwd="other"), 65,
          err="'googlenet', which is not asked now")
    lines = whole.split(b"\n")
    lines[3] = lines[3].replace(b",", b'",', 1)
    Path("q.csv").write_bytes(b"\n".join(lines))
    check("a quote that is not closed", run("--append=q.csv", "-k", "2", "photos"), 65, err="q.csv: line 4 is not")
    tap.ok(Path("q.csv").read_bytes() == b"\n".join(lines), "takes nothing away")
    Path("j.jsonl").write_text('{"file":"precious","mine":1}')
    check("somebody's line without an end", run("--append=j.jsonl", "photos"), 65, err="j.jsonl: line 1 is not")
    tap.ok(Path("j.jsonl").read_text() == '{"file":"precious","mine":1}', "stays, too")
    check("no format", run("--append=b.out", "photos"), 64, err="--format=jsonl, csv or tsv")
    check("json cannot be gone on with", run("-j", "--append=b.json", "photos"), 64, err="--format=jsonl, csv or tsv")
    check("a folder", run("--append=photos", "-f", "csv", "photos"), 74, err="photos: cannot open")
    with open("a.csv") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        check("two runs on one file", run("--append=a.csv", "photos"), 74, err="another run is writing it")
    small = ["sh", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$@"', "-"]
    full = subprocess.run([*small, *words("--append=c.csv", "photos", "nasty")], capture_output=True, env=ENVIRONMENT)
    tap.ok(full.returncode == 74 and b"c.csv: cannot write" in full.stderr, "no room: a sentence", full)
    run("--append=c.csv", "photos", "nasty")
    tap.ok(Path("c.csv").read_bytes() == run("-f", "csv", "photos", "nasty").raw, "and it goes on when there is room")


def make_other():
    os.mkdir("other")
    os.symlink("../tiny.safetensors", "other/tiny.safetensors")
    os.symlink("../photos", "other/photos")
    Path("other/b.jsonl").write_text('{"file":"a","network":"googlenet"}\n')


def tree(folder):
    """Names and contents of all files but the list."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*")
            if p.is_file() and p.name != "undo.sh" and p.name != ".inception.partial"}


def size_of(path):
    return Path(path).stat().st_size if Path(path).exists() else 0


def test_kill():
    """kill -9 at 20 moments, a little after the file has grown by so much; in the end all is as in a run that nobody
    killed."""
    chance = random.Random(5)
    options = ["-k", "2", "photos", "nasty", "many30"]
    run("--append=whole.csv", "--sort-into=whole", *options)
    wanted, sorted_files = Path("whole.csv").read_bytes(), tree("whole")
    killed = landed = 0
    good = True
    while killed < 20:
        child = subprocess.Popen(words("--append=killed.csv", "--sort-into=killed", *options), stderr=subprocess.DEVNULL,
                                 env=ENVIRONMENT)
        enough = size_of("killed.csv") + chance.uniform(-0.02, 0.2) * len(wanted)
        while size_of("killed.csv") < enough and child.poll() is None:
            time.sleep(0)
        time.sleep(chance.uniform(0, 0.01))
        child.kill()
        landed += 0 < size_of("killed.csv") < len(wanted)
        killed += child.wait() < 0
        if child.returncode >= 0:  # done: compare, and begin anew
            good &= Path("killed.csv").read_bytes() == wanted and tree("killed") == sorted_files
            Path("killed.csv").unlink()
            shutil.rmtree("killed")
    run("--append=killed.csv", "--sort-into=killed", *options)
    good &= Path("killed.csv").read_bytes() == wanted and tree("killed") == sorted_files
    tap.ok(good, "20 times kill -9: no photo lost, none twice, none sorted twice", f"{landed} in the middle")
    tap.ok(landed >= 10, "most of them came in the middle", landed)
    subprocess.run(["sh", "killed/undo.sh"], check=True)
    tap.ok(not tree("killed"), "the list undoes all of it", tree("killed").keys())


def test_interrupt():
    child = subprocess.Popen(words("-f", "jsonl", "--append=i.jsonl", *["photos", "nasty", "many30"]), env=ENVIRONMENT,
                             stderr=subprocess.PIPE)
    while not Path("i.jsonl").exists() or Path("i.jsonl").stat().st_size == 0:
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    lines = Path("i.jsonl").read_text().splitlines()
    tap.ok(child.returncode == 130 and 0 < len(lines) < 61 and all(json.loads(line) for line in lines),
           "Ctrl-C: exit 130, whole records", f"{child.returncode} {len(lines)}")
    run("-f", "jsonl", "--append=i.jsonl", "photos", "nasty", "many30")
    tap.ok(Path("i.jsonl").read_bytes() == run("-f", "jsonl", "photos", "nasty", "many30").raw, "and goes on from there")


# ---- --sort-into ----

def winners(*photos):
    records = json.loads(run("-j", "-k", "1", *photos).out)
    return {raw_name(r): r["predictions"][0]["index"] for r in records if "predictions" in r}


def test_sort():
    best = winners("photos", "nasty")
    wanted = {}
    for name, index in best.items():
        last = os.fsdecode(name.rsplit(b"/", 1)[1])
        wanted.setdefault((FOLDERS[index], last), []).append(Path(os.fsdecode(name)))
    before = tree("photos") | tree("nasty")
    for way in ("copy", "hardlink", "symlink"):
        out = Path(f"by_{way}")
        result = run(f"--sort-into={out}", f"--sort-by={way}", "-f", "csv", "photos", "nasty")
        made = {(p.parent.name, p.name): p for p in out.glob("*/*")}
        double = {k for k, v in wanted.items() if len(v) > 1}
        right = set(wanted) | {(f, n.replace(".png", "-2.png")) for f, n in double} == set(made)
        tap.ok(right and result.code == 1, f"{way}: a folder for each class, safe names", (result, sorted(made)))
        for key, sources in wanted.items():
            made_of, source = made[key], sources[0]
            right &= made_of.read_bytes() == source.read_bytes()
            right &= made_of.is_symlink() == (way == "symlink")
            right &= way != "hardlink" or made_of.samefile(source)
            right &= way != "symlink" or os.readlink(made_of) == str(source.resolve())
            right &= way != "copy" or (made_of.stat().st_ino != source.stat().st_ino and
                                       made_of.stat().st_mtime_ns == source.stat().st_mtime_ns)
        tap.ok(right, f"{way}: each is what it should be")
        again = run(f"--sort-into={out}", f"--sort-by={way}", "-f", "csv", "photos", "nasty")
        tap.ok(again.code == 1 and {(p.parent.name, p.name) for p in out.glob("*/*")} == set(made), f"{way}: twice is once")
        lines = (out / "undo.sh").read_bytes().split(b"\n}\n")[-1].split(b"\n")[:-1]
        listed = len(lines) == len(made) and all(line.startswith(b"undo '/") for line in lines)
        tap.ok(listed, f"{way}: a line for each in the list", lines)
        done = subprocess.run(["sh", out / "undo.sh"], capture_output=True)
        tap.ok([p.name for p in out.iterdir()] == ["undo.sh"] and done.stderr == b"", f"{way}: undo leaves nothing", done)
    tap.ok(tree("photos") | tree("nasty") == before, "the photos are as they were")
    tap.ok(not list(Path(".").rglob("pwned")), "no name was run")
    reflink = run("--sort-into=by_reflink", "--sort-by=reflink", "-j", "photos/img1.png")
    if reflink.code == 0:
        tap.ok(list(tree("by_reflink").values()) == [Path("photos/img1.png").read_bytes()], "reflink: a copy", reflink)
    else:
        tap.ok(reflink.code == 74 and "reflink to by_reflink/" in reflink.err and not tree("by_reflink") and
               sorted(os.listdir("by_reflink")) == ["undo.sh"],
               "reflink: an error where the file system has none, and nothing left", reflink)
        tap.ok("predictions" in json.loads(reflink.out)[0], "reflink: the answer is there all the same", reflink)


def test_sort_care():
    index = winners("photos/img1.png")[b"photos/img1.png"]
    folder = Path("care") / FOLDERS[index]
    folder.mkdir(parents=True)
    (folder / "img1.png").write_text("mine")
    os.symlink("nowhere", folder / "img1-2.png")
    run("--sort-into=care", "-j", "photos/img1.png")
    tap.ok((folder / "img1.png").read_text() == "mine" and os.readlink(folder / "img1-2.png") == "nowhere" and
           (folder / "img1-3.png").read_bytes() == Path("photos/img1.png").read_bytes(), "nothing is overwritten")
    (folder / "img1-3.png").write_text("changed since")
    done = subprocess.run(["sh", "care/undo.sh"], capture_output=True)
    tap.ok((folder / "img1-3.png").read_text() == "changed since" and b"kept: " in done.stderr and
           (folder / "img1.png").exists(), "undo keeps what has changed, and what it did not make", done)
    Path("lone.png").write_bytes(png(33, 33, 7))
    run("--sort-into=last", "-j", "lone.png")
    Path("lone.png").unlink()
    made = next(p for p in Path("last").rglob("*.png"))
    subprocess.run(["sh", "last/undo.sh"], capture_output=True)
    tap.ok(made.exists(), "undo keeps the last copy of a photo that is gone")
    unsure = run("--sort-into=unsure", "--threshold=100%", "-j", "photos/img1.png")
    tap.ok(list(tree("unsure")) == ["unknown/img1.png"], "below the threshold: unknown", unsure)
    os.makedirs("stuck/.inception.partial")
    check("a copy that cannot be begun", run("--sort-into=stuck", "-j", "photos/img1.png"), 74, err="failed")
    check("standard input cannot be sorted", run("--sort-into=unsure", "-j", "-", stdin=png(9, 9)), 64, err="standard input")
    Path("links").mkdir()
    Path("links/twice.png").write_bytes(png(12, 12))
    both = run("--sort-into=care2", "links/twice.png")
    made, = Path("care2").glob("*/*")
    Path("links/twice.png").unlink()
    Path("links").rmdir()
    os.symlink(made.parent.resolve(), "links")
    kept = subprocess.run(["sh", "care2/undo.sh"], capture_output=True, env={**os.environ, "CDPATH": "/tmp"})
    tap.ok(made.exists() and b"kept" in kept.stderr, "undo keeps a copy that has become the photo itself", f"{both}\n{kept}")
    Path("mine").mkdir()
    Path("mine/undo.sh").write_text("rm -r /\n")
    check("a list that is not ours", run("--sort-into=mine", "photos/img1.png"), 65, err="mine/undo.sh: not a list")
    check("a folder that cannot be made", run("--sort-into=no/where", "photos/img1.png"), 74, err="cannot make the folder")
    shutil.copytree("photos", "inside")
    count = len(winners("inside"))
    run("--sort-into=inside/sorted", "inside")
    run("--sort-into=inside/sorted", "inside")
    tap.ok(len(tree("inside/sorted")) == count, "a folder among the photos is not walked", tree("inside/sorted").keys())
    with open("inside/sorted/undo.sh", "ab") as file:
        file.write(b"undo '/tmp/it'\\''s; touch pw")  # killed in the middle
    os.remove("inside/sorted/" + sorted(tree("inside/sorted"))[0])
    run("--sort-into=inside/sorted", "inside")
    subprocess.run(["sh", "inside/sorted/undo.sh"], check=True)
    tap.ok(not tree("inside/sorted"), "a list with a broken end is mended")


# ---- Filters ----

def classes(*more):
    result = run("-j", "-k", "7", *more, "photos/img1.png")
    try:
        return [p["index"] for p in json.loads(result.out)[0]["predictions"]], result
    except (ValueError, KeyError, IndexError):
        return None, result


def test_filters():
    order, result = classes()
    records = json.loads(result.out)[0]["predictions"]
    Path("list").write_text("Tinca Tinca\nn00000002\n6\n")
    for name, options, wanted in [
            ("a synonym, in any case", ["--allow=TINCA tinca"], {0}), ("an id", ["--allow=n00000002"], {2}),
            ("an index", ["--allow=6"], {6}), ("a whole label with a comma", ["--allow=crane, machine"], {2}),
            ("several", ["--allow=tench, 1,plain"], {0, 1, 6}), ("repeated", ["--allow=tench", "--allow=6"], {0, 6}),
            ("a name that is not ASCII", ["--allow=caff\u00e8"], {5}), ("from a file", ["--allow=@list"], {0, 2, 6}),
            ("all but", ["--deny=machine,.."], {0, 1, 3, 5, 6}), ("both", ["--allow=@list", "--deny=0"], {2, 6})]:
        found, result = classes(*options)
        tap.ok(found == [i for i in order if i in wanted], f"filter: {name}", result)
    some, _ = classes("--allow=0,1,2", "-k", "2")
    tap.ok(some == [i for i in order if i in (0, 1, 2)][:2], "filter: -k of those")
    middle = records[2]["probability"] * (1 - 1e-6)
    for text in (f"{middle:.9g}", f"{100 * middle:.9g}%"):
        found, result = classes(f"--threshold={text}")
        tap.ok(found == order[:3], f"--threshold={text}", result)
    found, result = classes("--threshold=100%")
    tap.ok(found == [], "--threshold=100%: no class, and no error", result)
    check("in text it says which was closest", run("--threshold=1", "photos/img1.png"), 0,
          f"No class reaches 100% (closest: {LABELS[order[0]]}: ")
    drawn = run("--threshold=1", "--plot=none.pdf", "-j", "photos/img1.png")
    if shutil.which("pdftotext"):
        words = subprocess.run(["pdftotext", "none.pdf", "-"], capture_output=True, text=True).stdout
        tap.ok(drawn.code == 0 and LABELS[order[0]].split(",")[0] + ", below 100%" in words, "and a plot has it", f"{drawn}\n{words}")
    else:
        tap.skip("and a plot has it", "no pdftotext")
    check("in columns too", run("--threshold=1", "-m", "tiny.safetensors", "photos/img1.png"), 0, "No class reaches 100%")
    for option, words_, error in [
            ("--threshold", "50", "0 to 1, or 0% to 100%"),
            *(("--threshold", text, "0 to 1") for text in ("nan", "101%", "half", "-0.1", "%", "5%%")),
            ("--allow", "tensh", "no class 'tensh'; did you mean 'tench'?"), ("--allow", "7", "no class '7'"),
            ("--deny", "crane", "several classes; give index or id of one: 1 n00000001, 2 n00000002"),
            ("--allow", "n00000009", "no class 'n00000009'"), ("--deny", "0,1,2,3,4,5,6", "leave no class")]:
        check(f"{option}={words_} is refused", run(f"{option}={words_}", "photos/img1.png"), 64, err=error)
    check("a list that is missing", run("--allow=@nolist", "photos/img1.png"), 66, err="nolist")


# ---- Progress ----

def on_terminal(*more, columns=80):
    """What a terminal on standard error gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, 0x5414, struct.pack("HHHH", 24, columns, 0, 0))  # TIOCSWINSZ
    child = subprocess.Popen(words(*more), stdout=subprocess.DEVNULL, stderr=theirs, env=ENVIRONMENT)
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:
        pass  # the end, on Linux
    os.close(ours)
    child.wait()
    return seen.decode()


def test_progress():
    seen = on_terminal("-f", "csv", "nasty", "many30", "nasty")
    lines = [line.removeprefix("\x1b[K") for line in seen.split("\r")[1:]]
    tap.ok(any("photos, " in line and "/s" in line for line in lines), "a line with the rate", seen[:500])
    tap.ok(any("of 62 photos" in line and " left" in line for line in lines),
           "how many there are and the time left, once that is known", seen[-500:])
    narrow = on_terminal("-f", "csv", "nasty", columns=20).split("\r\x1b[K")
    tap.ok(len(narrow) > 2 and all(len(line) < 20 for line in narrow[1:-1]), "it fits a narrow terminal", narrow)
    tap.ok("\r\x1b[K" in seen and "photos" not in seen.rsplit("\r\x1b[K", 1)[1], "it is erased at the end", seen[-200:])
    tap.ok(on_terminal("-q", "-f", "csv", "nasty") == "", "not with --quiet")
    tap.ok("\r" not in on_terminal("-f", "csv", "photos/img1.png"), "not for one photo")
    tap.ok(run("-f", "csv", "nasty").err == "", "not without a terminal")


def main():
    make_model()
    make_photos()
    make_other()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for test in (test_formats, test_threads, test_memory, test_append, test_kill, test_interrupt, test_sort, test_sort_care,
                 test_filters, test_progress):
        tap.attempt(test)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
    os.chdir("/")
tap.done()
