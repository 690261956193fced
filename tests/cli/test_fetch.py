"""fetch, weights that classify fetches by itself, models show, path and rm, photos from URLs.

    test_fetch.py [BUILD]       BUILD holds the executable; default: build

BUILD/tests/inception_fetch_test is the command with the table of make_releases.py in place of cli/releases.c, and the
archives of that table lie in BUILD/tests/releases. Only the loopback is used, and only Python's own library.
"""
import fcntl
import gzip
import hashlib
import json
import os
import pty
import random
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import termios
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "cli")]
from hostile_server import HostileServer  # noqa: E402
from make_releases import company, content, member, pack  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
SHIPPED, COMMAND = str(BUILD / "inception"), str(BUILD / "tests" / "inception_fetch_test")
RELEASES = BUILD / "tests" / "releases"
SIZE = (RELEASES / "inception_v3.tar.gz").stat().st_size
EVIL = [Path("/tmp/inception-evil"), Path("/inception-evil")]
NETWORKS = {"v1": "inception_v1.ckpt", "v2": "inception_v2.ckpt", "v3": "inception_v3.ckpt",
            "irv2": "inception_resnet_v2.ckpt", "googlenet": "bvlc.caffemodel"}
tap = Tap()


def environment(**more):
    gone = {"XDG_CACHE_HOME", "HOME", "INCEPTION_MIRROR"}
    kept = {k: v for k, v in os.environ.items() if k not in gone and not k.lower().endswith("_proxy")}
    return {**kept, "HOME": str(Path.cwd() / "home"), "XDG_CACHE_HOME": str(Path.cwd() / "cache"), "LC_ALL": "C",
            "TERM": "xterm", **more}


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def __str__(self):
        return f"exit {self.code}\nstdout: {self.out[:600]}\nstderr: {self.err[:1200]}"


def run(*words, command=COMMAND, limit=None, **more):
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done = subprocess.run([command, *words], stdin=subprocess.DEVNULL, capture_output=True, env=environment(**more),
                          timeout=60, preexec_fn=small_files if limit else None)
    return Result(done.returncode, done.stdout, done.stderr)


def check(name, result, code, out=None, err=None):
    good = result.code == code
    for text, said in (out, result.out), (err, result.err):
        good = good and (text is None or text in said) and (text != "" or said == "")
    return tap.ok(good, name, f"expected exit {code}, {out!r}, {err!r}\n{result}")


def cache():
    return Path("cache/inception")


def holdings(folder=None):
    """Every file of the cache folder, hidden ones too, with its content."""
    folder = folder or cache()
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} if folder.exists() else {}


def at_once(function, items):
    """The results in order; most of the time is spent waiting for a server that does nothing."""
    with ThreadPoolExecutor(8) as pool:
        return list(zip(items, pool.map(function, items)))


def clear():
    shutil.rmtree("cache", ignore_errors=True)


def whole(name):
    """The weights that the archive of a network holds."""
    network = "googlenet" if name == "googlenet" else NETWORKS[name][:-len(".ckpt")]
    return (RELEASES / f"{network}.member").read_bytes()


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


# ---- What goes well ----

def test_all(server):
    clear()
    result = run("fetch", *NETWORKS, INCEPTION_MIRROR=server.url("ok"))
    check("fetch: all networks", result, 0)
    tap.ok(holdings() == {file: whole(name) for name, file in NETWORKS.items()}, "the cache holds the weights, only them",
           sorted(holdings()))
    tap.ok(result.out.splitlines() == [str(cache().resolve() / f) for f in NETWORKS.values()], "their paths are printed",
           result)
    lines = f">> Downloading inception_v3.tar.gz 100.0%\nSuccessfully downloaded inception_v3.tar.gz {SIZE} bytes.\n"
    tap.ok(lines in result.err and "\r" not in result.err, "the article's two lines", result)
    tap.ok(result.err.count("ImageNet") == 1, "licence and caveat once", result)
    tap.ok(result.err.count("MD5") == 1 and "forgery" in result.err, "an MD5 alone is told", result)
    tap.ok(not any(p.exists() for p in EVIL) and not list(Path.cwd().parent.glob("inception-evil")),
           "hostile company in the archive: nothing outside the cache")
    modes = {p.stat().st_mode & 0o777 for p in cache().iterdir()}
    umask = os.umask(0)
    os.umask(umask)
    tap.ok(modes == {0o666 & ~umask}, "modes are those of the user's mask", modes)
    before = len(server.requests)
    again = run("fetch", "V3", "-v", INCEPTION_MIRROR=server.url("ok"))
    check("fetch again: nothing to do", again, 0, "inception_v3.ckpt", "is there already")
    tap.ok(len(server.requests) == before, "and nothing is asked of the server")
    quiet = run("fetch", "-q", "-j", "v3")
    tap.ok(json.loads(quiet.out)[0]["fetched"] is False and quiet.err == "", "quiet JSON", quiet)


def test_ways(server):
    def fetch(mode):
        own = Path(f"ways/{mode}").resolve()
        return run("fetch", "v3", "--mirror", server.url(mode), XDG_CACHE_HOME=str(own)), holdings(own / "inception")
    modes = ["date", "weak", "no_length", "no_type", "redirect", "busy_once", "cut", "cut_then_changed",
             "cut_then_forgotten", "cut_then_416", "wrong_first_half"]
    for mode, (result, held) in at_once(fetch, modes):
        check(f"{mode}: fetched", result, 0)
        tap.ok(held == {"inception_v3.ckpt": whole("v3")}, f"{mode}: whole", result)
    sent = [headers for _, path, headers in server.requests if path.startswith("/cut/")]
    tap.ok(len(sent) == 2 and sent[1].get("Range") == f"bytes={SIZE // 2}-" and sent[1].get("If-Range") == '"one"',
           "a broken download goes on, if the file is the same", sent)

    clear()
    folder = run("fetch", "v3", "--offline", "--mirror", f"file://{RELEASES}/")
    check("a mirror that is a folder, offline", folder, 0, "inception_v3.ckpt")
    clear()
    check("a file on disk, offline", run("fetch", "--offline", str(RELEASES / "inception_v1.tar.gz")), 0, "v1.ckpt")
    tap.ok(holdings() == {"inception_v1.ckpt": whole("v1")}, "it is unpacked")
    clear()
    result = run("fetch", "v3", INCEPTION_MIRROR="http://nowhere.invalid/ok", http_proxy=server.url("").rstrip("/"))
    check("through a proxy", result, 0)
    check("no_proxy", run("fetch", "v1", "--tries=1", INCEPTION_MIRROR=server.url("ok"), http_proxy="http://127.0.0.1:9",
                          no_proxy="127.0.0.1"), 0)
    clear()
    secret = server.url("404").replace("//", "//user:secret@")
    tap.ok("secret" not in run("fetch", "v3", "--mirror", secret).err, "no password in messages")


def test_partial(server):
    """What an earlier run left is gone on with, whoever serves the rest."""
    clear()
    result = run("fetch", "v3", "--tries=1", "--mirror", server.url("cut_always"))
    check("a download that breaks off", result, 74, "", "broke off after")
    left = [p.name for p in cache().iterdir()]
    tap.ok(len(left) == 1 and re.fullmatch(r"\.[0-9a-f]{64}\.part", left[0]), "leaves a part that no name leads to", left)
    before = len(server.requests)
    check("the next run goes on", run("fetch", "v3", "--mirror", server.url("ok")), 0)
    tap.ok("Range" in server.requests[before][2] and holdings() == {"inception_v3.ckpt": whole("v3")}, "from where it was",
           server.requests[before])
    for name, change in [("no header", lambda part: b"x" + part[1:]),
                         ("other bytes", lambda part: part[:9999] + b"other" + part[10004:]),
                         ("too long", lambda part: part + bytes(9000000)), ("a header only", lambda part: part[:300]),
                         ("empty", lambda part: b"")]:
        clear()
        run("fetch", "v3", "--tries=1", "--mirror", server.url("cut_always"))
        part = cache() / left[0]
        part.write_bytes(change(part.read_bytes()))
        check(f"a spoilt part ({name}): fetched all the same", run("fetch", "v3", "--mirror", server.url("ok")), 0)
        tap.ok(holdings() == {"inception_v3.ckpt": whole("v3")}, f"a spoilt part ({name}): whole")
    clear()
    run("fetch", "v3", "--tries=1", "--mirror", server.url("cut_always"))
    run("models", "rm", "v3")
    tap.ok(holdings() == {}, "models rm removes the part, too", sorted(holdings()))
    part = cache() / left[0]
    part.symlink_to("/tmp/inception-evil")
    check("a link in its place is not followed", run("fetch", "v3", "--mirror", server.url("ok")), 74, "", "cannot create")
    tap.ok(not EVIL[0].exists(), "nothing is written through it")


# ---- What goes wrong: one sentence, and the cache as it was ----

FAILURES = [  # mode, exit code, part of the sentence
    ("404", 66, "404 (not found)"), ("403", 74, "403 (forbidden)"), ("401", 74, "401"), ("410", 66, "410"),
    ("500", 74, "500"), ("503", 74, "503"), ("418", 74, "418"),
    ("page", 65, "web page"), ("page_in_disguise", 74, "broke off after 39 bytes"), ("empty", 65, "has 0 bytes"),
    ("short", 65, f"not the {SIZE} that are expected"), ("long", 65, f"has {SIZE + 1} bytes"),
    ("long_without_length", 65, f"more than the expected {SIZE}"), ("endless", 65, "more than the expected"),
    ("no_length_cut", 74, "broke off after"), ("cut_without_validator", 74, "broke off after"),
    ("cut_then_other_part", 65, "another part"),
    ("wrong", 65, "SHA256 is"), ("stall", 74, "sent nothing for 1 seconds"), ("silent", 74, "sent nothing for 1 seconds"),
    ("drip", 74, "sent nothing for 1 seconds"), ("reset", 74, "onnection"), ("garbage", 74, "HTTP"),
    ("redirect_loop", 74, "edirect"),
    ("redirect_file", 74, "file"), ("redirect_ftp", 74, "ftp"),
]


def test_failures(server):
    before = {"inception_v1.ckpt": b"was here"}

    def fetch(case):
        own = Path(f"failures/{case[0]}").resolve()
        (own / "inception").mkdir(parents=True)
        (own / "inception" / "inception_v1.ckpt").write_bytes(b"was here")
        tries = "2" if case[0] == "cut_then_other_part" else "1"
        result = run("fetch", "v3", "-q", "--timeout=1", "--tries", tries, "--mirror", server.url(case[0]),
                     XDG_CACHE_HOME=str(own))
        return result, holdings(own / "inception")
    for (mode, code, sentence), (result, held) in at_once(fetch, FAILURES):
        good = result.code == code and sentence in result.err and len(result.err.splitlines()) == 1 and result.out == ""
        tap.ok(good, f"{mode}: one sentence", f"expected exit {code}, {sentence!r}\n{result}")
        # What stalled can be gone on with.
        left = {k: v for k, v in held.items() if not (mode == "stall" and k.endswith(".part"))}
        tap.ok(left == before, f"{mode}: the cache is as it was", sorted(held))
    clear()
    cache().mkdir(parents=True)
    (cache() / "inception_v1.ckpt").write_bytes(b"was here")
    expected = sha256(RELEASES / "inception_v3.tar.gz")
    wrong = run("fetch", "v3", "-q", "--mirror", server.url("wrong")).err
    told = set(re.findall(r"\b[0-9a-f]{64}\b", wrong))
    tap.ok(len(told) == 2 and expected in told, "both checksums are told", wrong)
    closed = run("fetch", "v3", "-q", "--tries=1", "--mirror=http://127.0.0.1:1")
    check("nobody listens", closed, 74, "", "127.0.0.1")
    check("no such host", run("fetch", "v3", "-q", "--mirror=http://nowhere.invalid/"), 74, "", "nowhere.invalid")
    check("a mirror without the file", run("fetch", "v3", "-q", f"--mirror=file://{Path.cwd()}"), 66, "", "no such file")
    check("an archive with the weights twice", run("fetch", "v4", "-q", "--mirror", server.url("ok")), 65, "",
          "more than one")
    check("an MD5 that is wrong", run("fetch", "irv2", "-q", "--mirror", server.url("wrong")), 65, "", "MD5 is")
    asked = len(server.requests)
    for words in (["fetch", "v3"], ["classify", "-m", "v3", "x"], ["prepare", "-m", "v3", "x"]):
        result = run(*words, "--offline", INCEPTION_MIRROR=server.url("ok"))
        tap.ok(result.code in (64, 69) and "--offline" in result.err and result.out == "", f"--offline: {words[0]}", result)
    tap.ok(len(server.requests) == asked, "--offline asks nobody")
    tap.ok(holdings() == before, "the cache is as it was, still", sorted(holdings()))
    three = run("fetch", "v3", "v1", "googlenet", "--tries=1", "--mirror", server.url("404"))
    check("one of three is there already", three, 1, "inception_v1.ckpt", "2 of 3 inputs failed")
    real = run("fetch", "v3", "-q", "--mirror", server.url("ok"), command=SHIPPED)
    check("the shipped table: its own names and sizes", real, 66, "", "inception_v3_2016_08_28.tar.gz")


def test_usage():
    known = "0" * 64
    for words, sentence in [(["fetch"], "fetch needs"), (["fetch", "http://127.0.0.1:1/x"], "--sha256"),
                            (["fetch", "v3", f"--sha256={known}"], "one URL or one file"),
                            (["fetch", "a", "b", f"--sha256={known}"], "one URL or one file"),
                            (["fetch", "x", "--sha256=12"], "64 hexadecimal"),
                            (["fetch", "v3", "--mirror=/tmp"], "begins neither"),
                            (["fetch", "v3", "--timeout=0"], "from 1"),
                            (["fetch", "v3", "--format=csv"], "not text, json or jsonl"), (["models", "shew", "v3"], "did you mean 'show'?"),
                            (["models", "show"], "name a network"), (["models", "path", "v1", "v2"], "one word too many"),
                            (["models", "rm", "inceptoin_v3"], "did you mean inception_v3?")]:
        result = run(*words)
        tap.ok(result.code == 64 and sentence in result.err and result.out == "", f"usage: {' '.join(words)[:40]}", result)
    check("a mirror of another kind", run("fetch", "v3", INCEPTION_MIRROR="ftp://x"), 64, "", "mirror 'ftp://x'")
    check("neither file nor network", run("fetch", "inceptoin_v3"), 66, "", "did you mean inception_v3?")
    Path("stranger.tar.gz").write_bytes(b"x")
    check("a file nobody published", run("fetch", "stranger.tar.gz"), 64, "", "--sha256")
    check("no cache folder", run("fetch", "v3", HOME="", XDG_CACHE_HOME=""), 64, "", "HOME")
    check("a relative XDG_CACHE_HOME is ignored", run("models", XDG_CACHE_HOME="cache"), 0, "home/.cache/inception")
    Path("file").write_bytes(b"")
    check("a cache folder that cannot be", run("fetch", "v3", XDG_CACHE_HOME=str(Path("file").resolve())), 74, "",
          "cannot create")


# ---- Other archives ----

def other_archives():
    """name, members or bytes, exit code, part of the sentence."""
    data = content(9, 5000)
    evil = b"evil"
    yield "plain.tar", [member("a/m.ckpt", data)], 0, ""
    yield "plain.tar.xz", [member("README"), member("m.safetensors", data)], 0, ""
    yield "plain.tgz", [member("m.caffemodel", data)], 0, ""
    yield "company.tar.gz", company("other") + [member("m.ckpt", data)], 0, ""
    yield "absolute.tar.gz", [member("/tmp/inception-evil.ckpt", evil)], 65, "no file of weights"
    yield "upwards.tar.gz", [member("../m.ckpt", evil), member("a/../../m.ckpt", evil)], 65, "no file of weights"
    yield "linked.tar.gz", [member("m.ckpt", kind=tarfile.SYMTYPE, link="/etc/passwd")], 65, "no file of weights"
    yield "hard.tar.gz", [member("m.ckpt", kind=tarfile.LNKTYPE, link="/etc/passwd")], 65, "no file of weights"
    yield "twice.tar.gz", [member("m.ckpt", data), member("m.ckpt", evil)], 65, "more than one"
    yield "two.tar.gz", [member("a.ckpt", data), member("b.caffemodel", data)], 65, "more than one"
    yield "none.tar.gz", [member("README", data)], 65, "no file of weights"
    yield "many.tar.gz", [member(f"{i}") for i in range(10001)], 65, "more than 10000 members"
    huge = tarfile.TarInfo("m.ckpt")
    huge.size = 1 << 40
    yield "huge.tar", huge.tobuf(), 65, "limit"
    huge.name = "README"
    yield "huge_other.tar", huge.tobuf(), 65, "limit"
    yield "bomb.tar.gz", bomb(), 65, "limit"
    yield "no_tar.tar.gz", data, 65, "cannot be unpacked"
    yield "empty.tar.gz", b"", 65, "cannot be unpacked"
    pack("cut.tar.gz", [member("m.ckpt", data)])
    yield "cut.tar.gz", Path("cut.tar.gz").read_bytes()[:3000], 65, "cut.tar.gz"
    yield "weights.ckpt", data, 0, ""


def bomb():
    """Two members of 600 MB of zeros each, 1 MB packed."""
    info = tarfile.TarInfo("padding")
    info.size = 600 << 20
    zeros = gzip.compress(bytes(50 << 20), 1)
    return 2 * (gzip.compress(info.tobuf()) + 12 * zeros)


def test_other(server):
    clear()
    Path("served").mkdir(exist_ok=True)
    for name, made, code, sentence in other_archives():
        path = Path("served") / name
        if isinstance(made, bytes):
            path.write_bytes(made)
        else:
            pack(path, made, {"xz": "w:xz", "tar": "w"}.get(path.suffix[1:], "w:gz"))
        before = holdings()
        result = run("fetch", str(path), "-q", "--sha256", sha256(path).upper())
        check(f"{name}: exit {code}", result, code, err=sentence)
        if code:
            tap.ok(holdings() == before and len(result.err.splitlines()) == 1, f"{name}: the cache is as it was", result)
        else:
            got = Path(result.out.strip())
            tap.ok(got.parent == cache().resolve() and got.read_bytes() == content(9, 5000), f"{name}: unpacked", result)
    tap.ok(not any(p.exists() for p in EVIL) and not Path("/tmp/inception-evil.ckpt").exists(), "nothing outside the cache")
    server.folder = Path("served")
    url, good = server.url("ok") + "/plain.tar?signature=1/2.tgz", sha256("served/plain.tar")
    clear()
    result = run("fetch", url, "--sha256", good)
    check("any URL with its checksum", result, 0, f"{good[:8]}-plain\n", "Successfully downloaded plain.tar ")
    before = len(server.requests)
    check("again: nothing to do", run("fetch", url, "--sha256", good), 0, f"{good[:8]}-plain\n")
    tap.ok(len(server.requests) == before, "and nothing is asked")
    check("whatever the case of its digits", run("fetch", url, "--sha256", good.upper()), 0, f"{good[:8]}-plain\n")
    long = Path("served") / ("x" * 248 + ".tar.gz")
    shutil.copy("served/plain.tar", long)
    check("a name as long as names can be", run("fetch", str(long), "--sha256", good), 0, f"{good[:8]}-xxx")
    check("a wrong checksum", run("fetch", url, "-q", "--sha256", "0" * 64), 65, "", "0" * 64)
    server.folder = RELEASES
    url = server.url("ok") + "/inception_v3.tar.gz"
    check("a URL with a published checksum", run("fetch", url, "--sha256", sha256(RELEASES / "inception_v3.tar.gz")), 0,
          "inception_v3.ckpt")
    changed = Path("inception_v3.tar.gz")
    changed.write_bytes(bytes(SIZE))
    clear()
    check("a file on disk that is not what it says", run("fetch", str(changed)), 65, "", "SHA256 is")
    changed.write_bytes(b"")
    check("an empty one", run("fetch", str(changed)), 65, "", "has 0 bytes")
    check("a folder", run("fetch", "served", "--sha256", "0" * 64), 64, "", "not a regular file")
    tap.ok(holdings() == {}, "nothing is left of them", sorted(holdings()))


# ---- Full disks, killed processes, several at once ----

def test_full(server):
    """3.0 MB come, and 3.0 MB are unpacked."""
    clear()
    cache().mkdir(parents=True)
    for name, limit, network in [("while downloading", 1000000, "v3"), ("in the header", 100, "v3"),
                                 ("while unpacking", 2400000, "v2")]:
        result = run("fetch", network, "-q", "--mirror", server.url("ok"), limit=limit)
        tap.ok(result.code == 74 and "cannot write" in result.err and len(result.err.splitlines()) == 1,
               f"no room {name}: one sentence", result)
        tap.ok(holdings() == {}, f"no room {name}: the cache is as it was", sorted(holdings()))
    mount = Path("mount")
    mount.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(mount)]
    if os.geteuid() or subprocess.run(words, capture_output=True).returncode:
        tap.skip("a file system that is full", "cannot mount one here")
        return
    try:
        for network, free in [("v3", 2), ("v3", 4)]:
            filler = mount / "filler"
            filler.write_bytes(bytes((4 - free) << 20))
            result = run("fetch", network, "-q", "--mirror", server.url("ok"), XDG_CACHE_HOME=str(mount.resolve()))
            left = [p for p in mount.rglob("*") if p.is_file()]
            tap.ok(result.code == 74 and "No space left" in result.err and len(result.err.splitlines()) == 1 and
                   left == [filler], f"a file system with {free} MB left", f"{result}\n{left}")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def start(*words, **more):
    return subprocess.Popen([COMMAND, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment(**more))


def test_killed(server):
    clear()
    moments = random.Random(1)
    right, finished, resumed = whole("v3"), 0, 0
    wrong = []
    for i in range(50):
        mirror, latest = (server.url("slow"), 0.3) if i % 2 else (f"file://{RELEASES}", 0.06)
        process = start("fetch", "v3", "-q", "--mirror", mirror)
        time.sleep(moments.random() * latest)
        process.kill()
        process.communicate()
        there = holdings()
        for name, data in there.items():
            if name == "inception_v3.ckpt" and data == right:
                finished += 1
                (cache() / name).unlink()
            elif not re.fullmatch(r"\.[0-9a-f]{64}\.(part|new)", name):
                wrong.append((i, name, len(data)))
    resumed = sum("Range" in headers for _, path, headers in server.requests if path.startswith("/slow/"))
    tap.ok(not wrong, "killed 50 times: no name leads to less than the whole", wrong)
    tap.ok(finished < 50 and resumed > 0, f"they were killed in time ({finished} finished, {resumed} resumed)")
    check("then it is fetched", run("fetch", "v3", "--mirror", server.url("ok")), 0)
    tap.ok(holdings() == {"inception_v3.ckpt": right}, "whole, and nothing is left over", sorted(holdings()))


def test_part_and_mirrors(server):
    """What was downloaded outlives a mirror that has nothing, and does not keep a file from being taken."""
    def stop_in_the_middle():
        clear()
        process = start("fetch", "v3", "-q", "--mirror", server.url("slow"))
        for _ in range(200):
            if any(len(data) > 5000 for data in holdings().values()):
                break
            time.sleep(.01)
        process.kill()
        process.communicate()
        return next((len(data) for name, data in holdings().items() if name.endswith(".part")), 0)

    held = stop_in_the_middle()
    check("a mirror without it", run("fetch", "v3", "--mirror", server.url("404")), 66, err="not found")
    left = [len(data) for name, data in holdings().items() if name.endswith(".part")]
    tap.ok(held > 5000 and left == [held], "takes nothing away", (held, left))
    check("from a folder", run("fetch", "v3", "--mirror", f"file://{RELEASES}"), 0)
    tap.ok(holdings() == {"inception_v3.ckpt": whole("v3")}, "whole", sorted(holdings()))


def test_together(server):
    clear()
    before = len(server.requests)
    processes = [start("fetch", "v3", "--mirror", server.url("slower")) for _ in range(4)]
    ends = [(*p.communicate(timeout=30), p.returncode) for p in processes]
    tap.ok([code for _, _, code in ends] == [0] * 4, "four at once: all succeed", ends)
    tap.ok(len(server.requests) == before + 1 and holdings() == {"inception_v3.ckpt": whole("v3")}, "one download",
           len(server.requests) - before)
    tap.ok(sum(b"another process" in err for _, err, _ in ends) == 3, "three say what they wait for", ends)
    clear()
    first = start("fetch", "v3", "--mirror", server.url("slower"))
    time.sleep(0.5)
    second = start("fetch", "v3", "--mirror", server.url("ok"))
    time.sleep(0.2)
    first.kill()
    first.communicate()
    out, err = second.communicate(timeout=30)
    tap.ok(second.returncode == 0 and holdings() == {"inception_v3.ckpt": whole("v3")}, 
           "the first is killed: the second goes on", err)
    clear()
    many = [start("fetch", *names, "--mirror", server.url("ok")) for names in (["v1", "v3"], ["v3", "v1"], ["v3", "irv2"])]
    ends = [(*p.communicate(timeout=30), p.returncode) for p in many]
    tap.ok([code for _, _, code in ends] == [0] * 3 and len(holdings()) == 3, "several networks, several processes", ends)


def test_interrupt(server):
    for words in (["fetch", "v3"], ["classify", "-m", "v3", "x.png"]):
        clear()
        process = start(*words, "--mirror", server.url("slower"))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        tap.ok(process.returncode == 130 and b"interrupted" in err and [n[-5:] for n in holdings()] == [".part"],
               f"Ctrl-C: {words[0]} ends with 130 and keeps the part", (process.returncode, err, sorted(holdings())))
    process = start("fetch", "v3", "--tries=9", "--mirror", server.url("503"))
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    tap.ok(process.returncode == 130, "Ctrl-C while it waits to try again", process.returncode)


# ---- On a terminal ----

def on_terminal(columns, *words):
    """What appears on a terminal that standard error is."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([COMMAND, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
                               env=environment())
    os.close(theirs)
    seen, end = b"", time.time() + 30
    while time.time() < end and select.select([ours], [], [], 10)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    return process.wait(timeout=10), seen.decode()


def test_terminal(server):
    for columns in (100, 60, 24):
        clear()
        code, seen = on_terminal(columns, "fetch", "v3", "--mirror", server.url("slower"))
        pictures = [line for line in re.split(r"[\r\n]+", seen) if line.startswith(">> Downl")]
        tap.ok(code == 0 and len(pictures) > 5 and max(map(len, pictures)) < columns,
               f"{columns} columns: a bar that fits", seen)
        if columns == 100:
            shares = [float(found[1]) for found in re.finditer(r" ([\d.]+)%", " ".join(pictures))]
            tap.ok(shares == sorted(shares) and shares[0] < 50 and shares[-1] == 100, "it grows", shares)
            tap.ok(any(re.search(r"\[#+\.+\] [\d.]+ [kM]B/s \d:\d\d left", p) for p in pictures),
                   "with rate and time left", pictures)
            tap.ok(pictures[-1].rstrip() == ">> Downloading inception_v3.tar.gz 100.0%" and "\x1b" not in seen and
                   f"Successfully downloaded inception_v3.tar.gz {SIZE} bytes.\r\n" in seen, "and ends as elsewhere",
                   seen[-300:])
    clear()
    code, seen = on_terminal(100, "fetch", "-q", "v3", "--mirror", server.url("slow"))
    tap.ok(code == 0 and seen == "", "--quiet: nothing", seen)
    clear()
    code, seen = on_terminal(80, "fetch", "v3", "--tries=1", "--mirror", server.url("cut_always"))
    last = seen.replace("\r\n", "\n").rstrip("\n").split("\n")[-1].split("\r")[-1]
    tap.ok(code == 74 and last.startswith("inception: "), "a failure: the bar gives way to the sentence", repr(seen))


# ---- classify, models ----

def png(width, height):
    rows = b"".join(b"\0" + bytes((x * 5 + y * c) % 256 for x in range(width) for c in range(3)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(
        b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_classify(server):
    clear()
    Path("a.png").write_bytes(png(40, 30))
    first = run("classify", "-m", "v2", "a.png", INCEPTION_MIRROR=server.url("ok"))
    check("classify fetches what it needs", first, 0, "Using Inception_V2 CNN", "(2.4 MB) from http://127.0.0.1")
    second = run("classify", "-m", "v2", "--offline", "a.png")
    tap.ok(second.code == 0 and second.out == first.out and second.err == "", "and finds it the next time, offline", second)
    clear()
    check("prepare, too", run("prepare", "-m", "v2", "a.png", "--mirror", server.url("ok")), 0, "(1, 224, 224, 3)")
    clear()
    failed = run("classify", "-m", "v3", "a.png", "-q", "--mirror", server.url("404"))
    tap.ok(failed.code == 66 and failed.out == "" and len(failed.err.splitlines()) == 1, "one sentence if it cannot", failed)
    check("inspect fetches nothing", run("inspect", "v3", INCEPTION_MIRROR=server.url("ok")), 69, "", "inception fetch v3")
    check("no -m, nothing there: what to do", run("classify", "a.png"), 69, "", "inception fetch v4")


def test_models(server):
    clear()
    check("models path: not there", run("models", "path", "v3"), 69, "", "inception fetch v3")
    run("fetch", "-q", "v3", "v1", "--mirror", server.url("ok"))
    check("models path", run("models", "path", "v3"), 0, f"{cache().resolve()}/inception_v3.ckpt\n")
    for name in ("inception_v3.safetensors", "inception_v3.ckpt.index", "inception_v3.ckpt.data-00000-of-00001",
                 "other.ckpt"):
        (cache() / name).write_bytes(b"x")
    check("models rm", run("models", "rm", "V3"), 0, "", "inception_v3.safetensors removed")
    tap.ok(sorted(holdings()) == ["inception_v1.ckpt", "other.ckpt"], "all of the network, nothing else", sorted(holdings()))
    check("models rm: not there", run("models", "rm", "v3", "v1"), 69, "", "inception_v3 is not in the cache")
    tap.ok(sorted(holdings()) == ["other.ckpt"], "the others are removed all the same")
    facts = {"v1": (58, 6633209, 1.498), "v2": (71, 11199137, 1.935), "v3": (95, 23853833, 5.713),
             "v4": (150, 42712937, 12.254), "irv2": (245, 55875273, 13.156)}
    for name, (layers, parameters, work) in facts.items():
        known = json.loads(run("models", "show", name, "-j", command=SHIPPED).out)
        tap.ok(known["layers"] == layers and known["parameters"] == parameters and
               abs(known["multiply_adds"] / 1e9 - work) < 5e-4, f"models show {name}: size", known)
        tap.ok(known["release"]["url"].endswith(".tar.gz") and known["licence"] and known["top5"] > 89 and known["source"],
               f"models show {name}: provenance", known)
    text = run("models", "show", "irv2", command=SHIPPED)
    check("models show as text", text, 0, "55,875,273")
    tap.ok("only checksum known" in text.out and "13,155,795,552" in text.out and "80.4 %" in text.out,
           "an MD5 only: said", text)
    table = run("models", command=SHIPPED)
    tap.ok("171.2 MB" in table.out and max(map(len, table.out.splitlines())) <= 80,
           "the table tells what a download takes", table)


# ---- Photos from URLs ----

def shapes(*words, **more):
    result = run("prepare", "-n", "v1", "--json", "--timeout=1", "--tries=1", *words, **more)
    try:
        return [r["decoded"][1] if "decoded" in r else "error" for r in json.loads(result.out)], result
    except ValueError:
        return None, result


def test_photos(server):
    Path("web").mkdir()
    Path("web/a.png").write_bytes(png(41, 30))
    Path("b.png").write_bytes(png(42, 30))
    server.folder = Path("web")
    found, result = shapes(server.url("ok") + "/a.png", "b.png", server.url("redirect") + "/a.png?x=1#y")
    tap.ok(found == [41, 42, 41] and result.code == 0 and result.err == "", "URLs among photos", result)
    Path("list").write_text(server.url("no_length") + "/a.png\nb.png\n")
    found, result = shapes("--files-from=list")
    tap.ok(found == [41, 42], "URLs in a list", result)
    modes = ["404", "403", "page", "stall", "silent", "drip", "reset", "cut_always", "endless", "redirect_file",
             "redirect_loop", "empty", "garbage"]
    words = [["b.png", server.url(mode) + "/a.png", "b.png", "--max-bytes=1M"] for mode in modes]
    for mode, (found, result) in zip(modes, (r for _, r in at_once(lambda w: shapes(*w), words))):
        tap.ok(found == [42, "error", 42] and result.code == 1 and server.url(mode) in json.loads(result.out)[1]["error"],
               f"{mode}: one record, and the run goes on", result)
    size = len(Path("web/a.png").read_bytes())
    for mode in ("ok", "no_length"):
        url = server.url(mode) + "/a.png"
        found, result = shapes(url, f"--max-bytes={size - 1}")
        tap.ok(found == ["error"] and result.code == 65, f"--max-bytes is held: {mode}", result)
        found, result = shapes(url, f"--max-bytes={size}")
        tap.ok(found == [41], f"and not too narrowly: {mode}", result)
    found, result = shapes(server.url("busy_once") + "/a.png", "--tries=2")
    tap.ok(found == [41], "what is temporary is tried again", result)
    before = len(server.requests)
    found, result = shapes(server.url("ok") + "/a.png", "b.png", "--offline")
    tap.ok(found == ["error", 42] and "--offline" in result.out and len(server.requests) == before, "--offline", result)
    check("a file behind a URL is no photo", run("prepare", "-n", "v1", f"file://{Path('b.png').resolve()}"), 66)
    result = run("prepare", "-n", "v1", "-o", "out", server.url("ok") + "/a.png", server.url("ok") + "/?q")
    tap.ok([p.name for p in Path("out").iterdir()] == ["a.png.npy"] and result.code == 1,
           "named after the URL's last part", result)
    run("fetch", "-q", "v2", "--mirror", f"file://{RELEASES}")
    here, web = (run("classify", "-m", "v2", word).out for word in ("web/a.png", server.url("ok") + "/a.png"))
    tap.ok(here == web and "class" in web, "classify: the same answer as for the file", web)
    server.folder = RELEASES


def main():
    with HostileServer(RELEASES) as server:
        for test in (test_all, test_ways, test_partial, test_failures, test_other, test_full, test_killed, test_part_and_mirrors, test_together,
                     test_interrupt, test_terminal, test_classify, test_models, test_photos):
            tap.attempt(test, server)
        test_usage()


with tempfile.TemporaryDirectory() as place:
    os.chdir(place)
    main()
    os.chdir("/")
tap.done()
