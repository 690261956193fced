"""The command on terminals: what it asks, what it draws for which answers, how it leaves the terminal.

    test_terminal.py [BUILD]    BUILD holds the executable; default: build

A pseudo-terminal answers as each kind of terminal does; tmux is a real one. Photos are made here; what needs a model is
skipped without one, as in test_cli.py. Only Python's own library is needed.
"""
import base64
import fcntl
import json
import os
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402
from material import model, png  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
COMMAND = str(BUILD / "inception")
NO_MODEL = ["classify", "-m", "nothing.ckpt", "photo.png"]  # asks, then fails
CLASSIFY = ["classify", "-t", "1", "-m"]
END = b"\x1b[c"  # of the questions
tap = Tap()

# What each kind of terminal answers. Cells are 10 x 20 pixels where the terminal tells it.
KITTY, PIXELS = b"\x1b_Gi=31;OK\x1b\\", b"\x1b[4;480;800t\x1b[6;20;10t"
ANSWERS = {
    "kitty": KITTY + b"\x1bP>|kitty(0.26.5)\x1b\\" + PIXELS + b"\x1b[?62;c",
    "iterm": b"\x1bP>|iTerm2 3.4.19\x1b\\" + PIXELS + b"\x1b[?62;4c",
    "sixel": b"\x1bP>|XTerm(379)\x1b\\" + PIXELS + b"\x1b[?64;1;2;4;6;9;15;18;21;22c",
    "xterm": b"\x1bP>|XTerm(379)\x1b\\" + PIXELS + b"\x1b[?64;1;2;6;9;15;18;21;22c",
    "refusing kitty": b"\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\\x1b[?62;c",
    "tmux": b"\x1bP>|tmux 3.4\x1b\\" + KITTY + b"\x1b[?1;2;4c",
    "bare": b"\x1b[?6c",
    "unended": KITTY + PIXELS,
    "mute": b"",
}
PICTURES = {"kitty": b"\x1b_Ga=T,", "iterm": b"\x1b]1337;File=", "sixel": b"\x1bP0;1;0q", "blocks": "\u2584".encode()}

# Runs words with the terminal as its own, in the foreground. Descriptor 3 gets the exit code, the terminal's mode before
# and after, and the line that is typed next.
SHELL = """before=$(stty -g); trap : INT TERM HUP
{run}
code=$?; echo "$code $before $(stty -g)" >&3; {then}"""


class Run:
    """One run on a pseudo-terminal; `typed` comes before it, `at_question` once the questions are out."""

    def __init__(self, words, kind="bare", columns=80, rows=24, typed=b"", at_question=None, piecewise=False,
                 run='"$@"', then="", **env):
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.write(master, typed)
        told, telling = os.pipe()
        kept = {k: v for k, v in os.environ.items() if k not in ("TMUX", "STY", "NO_COLOR", "COLORTERM", "LC_CTYPE")}
        kept.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "HOME": str(Path.cwd() / "home"), **env})

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            os.dup2(telling, 3)
        script = SHELL.format(run=run, then=then)
        self.shell = subprocess.Popen(["sh", "-c", script, "sh", COMMAND, *words], stdin=slave, stdout=slave, stderr=slave,
                                      env={k: v for k, v in kept.items() if v is not None}, preexec_fn=own,
                                      pass_fds=(3, telling), close_fds=True)
        os.close(telling)
        self.raw, self.answered, started = b"", False, time.monotonic()
        while True:
            ended = self.shell.poll() is not None
            while select.select([master], [], [], 0 if ended else 0.02)[0]:
                self.raw += os.read(master, 65536)
                if END in self.raw and not self.answered:
                    self.answered = True
                    step = 1 if piecewise else 1000
                    for start in range(0, len(ANSWERS[kind]), step):
                        os.write(master, ANSWERS[kind][start:start + step])
                        time.sleep(0.002 * piecewise)
                    if at_question:
                        at_question(self, master)
            if ended:
                break
            if time.monotonic() - started > 120:
                self.shell.kill()
        words = os.read(told, 65536).decode().split(maxsplit=3)
        for fd in (master, slave, told):
            os.close(fd)
        self.code = int(words[0]) if words else None
        self.mode_kept = len(words) > 2 and words[1] == words[2]
        self.next_line = words[3].rstrip("\n") if len(words) > 3 else None
        self.asked = END in self.raw
        self.out = self.raw.split(END)[-1]
        self.text = self.out.decode("utf-8", "replace").replace("\r\n", "\n")
        self.pictures = {name for name, start in PICTURES.items() if start in self.out}

    def __str__(self):
        return f"exit {self.code}, asked {self.asked}, mode kept {self.mode_kept}, {self.pictures}\n{self.raw[:1500]!r}"


def plain(text):
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def display_width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def bars_of(text):
    """(name, percentage, bar) of each row of bars, the name padded."""
    return re.findall(r"^(.*?) +(\d+\.\d\d)%(?: ([\u2588-\u258f#]*))?$", plain(text), re.MULTILINE)


# ---- What needs no model ----

def test_asking():
    for kind in ANSWERS:
        run = Run(NO_MODEL, kind)
        tap.ok(run.asked and run.mode_kept and run.code == 66 and b"\x1b" not in run.out,
               f"{kind}: asked, the mode is restored, no answer is echoed", run)
    for name, env in [("TERM=dumb", {"TERM": "dumb"}), ("no TERM", {"TERM": None}), ("NO_COLOR", {"NO_COLOR": "1"})]:
        run = Run(NO_MODEL, "kitty", **env)
        tap.ok(not run.asked and "\x1b" not in run.text, f"{name}: nothing is asked", run)
    for option in ("--picture=none", "--picture=blocks", "--color=never", "--format=json", "-fjsonl"):
        run = Run(NO_MODEL + [option], "kitty")
        tap.ok(not run.asked and "\x1b" not in run.text, f"{option}: nothing is asked", run)
    tap.ok(Run(NO_MODEL, NO_COLOR="").asked, "an empty NO_COLOR is none")
    for option in ("--picture=auto", "--picture=kitty", "--color=always"):
        run = Run(NO_MODEL + [option], "kitty", run='"$@" >out')
        tap.ok(run.code == 66 and not run.asked and b"\x1b" not in run.raw + Path("out").read_bytes(),
               f"{option}: nothing is asked when standard output is no terminal", run)
    run = Run(NO_MODEL, "kitty", run='set -m; "$@" & wait $!')
    tap.ok(run.code == 66 and not run.asked and run.mode_kept, "nothing is asked from the background", run)
    run = Run(["prepare", "-n", "v1", "photo.png"], "kitty")
    tap.ok(run.code == 0 and not run.asked, "nothing is asked by other commands", run)


def test_typed():
    keep = 'read -r line; echo "$line" >&3'
    run = Run(NO_MODEL, "kitty", typed=b"typed ahead\r", then=keep)
    tap.ok(not run.asked and run.mode_kept and run.next_line == "typed ahead", "a line typed ahead is left alone", run)
    run = Run(NO_MODEL, "bare", then=keep, at_question=lambda _, master: os.write(master, b"late\r"))
    tap.ok(run.asked and run.mode_kept and run.next_line == "late", "what is typed after the answers is kept", run)


def test_signals():
    for kind in ("mute", "unended"):
        for name, act in [("Ctrl-C", lambda run, master: os.write(master, b"\x03")),
                          ("SIGINT", lambda run, master: os.killpg(run.shell.pid, signal.SIGINT)),
                          ("SIGTERM", lambda run, master: os.killpg(run.shell.pid, signal.SIGTERM))]:
            run = Run(NO_MODEL, kind, at_question=act)
            tap.ok(run.asked and run.mode_kept and run.code == (143 if name == "SIGTERM" else 130),
                   f"{kind}: {name} while waiting ends it, with the mode restored", run)


# ---- Pictures ----

def pixels_of(run):
    """Width and height in cells and RGBA rows of kitty's picture."""
    head = re.search(rb"\x1b_Ga=T,f=32,s=(\d+),v=(\d+),c=(\d+),r=(\d+)", run.out)
    width, height, columns, rows = map(int, head.groups())
    data = b"".join(map(base64.b64decode, re.findall(rb"\x1b_G[^;\x1b]*;([^\x1b]*)\x1b\\", run.out)))
    return width, height, columns, rows, data


def test_pictures(path):
    words = [*CLASSIFY, path, "-k", "3", "photo.png"]
    for kind, picture in [("kitty", "kitty"), ("iterm", "iterm"), ("sixel", "sixel"), ("xterm", "blocks"),
                          ("bare", "blocks"), ("refusing kitty", "blocks"), ("tmux", "blocks"), ("mute", None),
                          ("unended", None)]:
        run = Run(words, kind)
        tap.ok(run.code == 0 and run.mode_kept and run.pictures == ({picture} if picture else set()) and
               len(bars_of(run.text)) == 3, f"{kind}: {picture or 'no picture'}", run)
    tap.ok(Run(words, "kitty", piecewise=True).pictures == {"kitty"}, "answers that come byte by byte")
    for variable in ("TMUX", "STY"):
        tap.ok(Run(words, "kitty", **{variable: "1"}).pictures == {"blocks"}, f"{variable}: half blocks")
    for name in PICTURES:
        run = Run(words + [f"--picture={name}"], "mute")
        tap.ok(run.pictures == {name}, f"--picture={name} wins over what the terminal answers", run)
    run = Run(words, "bare", LC_ALL="C")
    tap.ok(run.pictures == set() and "#" in run.text and run.text.isascii(), "LC_ALL=C: no picture, bars in ASCII", run)
    out = Run([*words, "photo.png"], "kitty").out
    tap.ok(out.count(PICTURES["kitty"]) == 2 and out.index(b"==") < out.index(PICTURES["kitty"]), "a picture for each photo")
    tap.ok(b"38;5;" in Run(words).out and b"38;2;" not in Run(words).out, "256 colours without COLORTERM")
    tap.ok(b"38;2;" in Run(words, COLORTERM="truecolor").out, "COLORTERM=truecolor: all colours")


def test_picture_sizes(path):
    for width, height, columns, rows in [(200, 100, 80, 24), (2000, 1000, 80, 24), (30, 900, 80, 24), (2000, 20, 80, 24),
                                         (7, 5, 80, 24), (1, 1, 80, 24), (1, 3000, 20, 50), (640, 480, 20, 10)]:
        Path("sized.png").write_bytes(png(width, height))
        name = f"{width} x {height} pixels in {columns} x {rows} cells"
        run = Run([*CLASSIFY, path, "-k", "1", "sized.png"], "kitty", columns, rows)
        w, h, across, down, data = pixels_of(run)
        tap.ok(len(data) == 4 * w * h and (w, h) == (10 * across, 20 * down) and across <= columns and down <= rows // 2,
               f"{name}: whole, within the terminal", (w, h, across, down, len(data)))
        opaque = [i for i in range(3, len(data), 4) if data[i] > 127]
        shown_w, shown_h = 1 + max(i // 4 % w for i in opaque), 1 + max(i // 4 // w for i in opaque)
        tap.ok(shown_w <= width and shown_h <= height and
               (abs(shown_w * height - shown_h * width) <= max(width, height) or 1 in (shown_w, shown_h)),
               f"{name}: not enlarged, its aspect kept", (shown_w, shown_h))
        run = Run([*CLASSIFY, path, "-k", "1", "sized.png"], "bare", columns, rows)
        lines = plain(run.text).split("\n\n")[1].split("\n")
        tap.ok(len(lines) <= min(rows // 2, (height + 1) // 2) and set("".join(lines)) <= set(" \u2580\u2584") and
               1 <= len(lines[0]) <= min(columns, width) and len(set(map(len, lines))) == 1, f"{name}: half blocks", run)
    tap.ok(not Run([*CLASSIFY, path, "photo.png"], "kitty", 80, 2).pictures, "no picture on two lines")


def test_picture_content(path):
    """A photo of 40 x 30 is shown pixel by pixel; the rest of its cells is clear."""
    w, h, _, _, data = pixels_of(Run([*CLASSIFY, path, "-k", "1", "photo.png"], "kitty"))
    expected = b"".join(bytes((x * 5 + y * 3 * c) % 256 for c in range(3)) + b"\xff" if x < 40 and y < 30 else b"\0\0\0\0"
                        for y in range(h) for x in range(w))
    worst = [max(abs(a - b) for a, b in zip(data[i::4], expected[i::4])) for i in range(4)]
    # libchafa 1.12 loses two bits of the last byte of each of its 512-byte chunks, always an alpha: 255 becomes 243.
    tap.ok((w, h) == (40, 40) and worst[:3] == [0, 0, 0] and worst[3] <= 12, "a small photo: its own pixels", (w, h, worst))


# ---- Bars ----

def test_colours(path):
    words = [*CLASSIFY, path, "-k", "3", "photo.png"]
    article = subprocess.run([COMMAND, *words], capture_output=True).stdout
    for option in ([], ["--picture=kitty"], ["--color=never"], ["--color=auto"]):
        run = Run(words + option, "kitty", run='"$@" >out')
        tap.ok(Path("out").read_bytes() == article, f"{option}: the article's lines where there is no terminal", run)
    for name, env in [("TERM=dumb", {"TERM": "dumb"}), ("no TERM", {"TERM": None})]:
        run = Run(words, "kitty", **env)
        tap.ok(run.text == article.decode(), f"{name}: the article's lines", run)
    for name, more, env in [("NO_COLOR", [], {"NO_COLOR": "1"}), ("--color=never", ["--color=never"], {})]:
        run = Run(words + more, "kitty", **env)
        tap.ok("\x1b" not in run.text and len(bars_of(run.text)) == 3, f"{name}: bars without colours or picture", run)
    run = Run(words + ["--color=always"], "kitty", NO_COLOR="1")
    tap.ok(run.pictures == {"kitty"} and "\x1b[36m" in run.text, "--color=always wins over NO_COLOR", run)
    run = Run(words + ["--picture=sixel"], "kitty", NO_COLOR="1")
    tap.ok(run.pictures == {"sixel"}, "--picture=sixel wins over NO_COLOR", run)
    Run(words + ["--color=always"], "kitty", run='"$@" >out')
    text = Path("out").read_text()
    tap.ok("\x1b[36m" in text and len(bars_of(text)) == 3 and not any(s in text.encode() for s in PICTURES.values()),
           "--color=always in a file: bars and colours", text)
    Run(words + ["--color=always", "--picture=blocks"], "kitty", run='"$@" >out')
    tap.ok(PICTURES["blocks"] in Path("out").read_bytes(), "and a picture of the kind that is named")
    numbers = re.findall(r"(\d+\.\d\d)%", article.decode())
    found = bars_of(Run(words).text)
    tap.ok([n for _, n, _ in found] == numbers, "bars show the same percentages", (found, numbers))
    wrong = [row for row in found if abs(len(row[2]) - float(row[1]) / 100 * 40) > 1]
    tap.ok(not wrong, "each bar is as long as its percentage of 40 columns", found)


def relabelled(path):
    """The model as a safetensors file, its labels in many scripts."""
    subprocess.run([COMMAND, "convert", path, "labels.safetensors"], check=True)
    data = Path("labels.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    kinds = ["\u6f22\u5b57\u3068\u304b\u306a {}", "e\u0301tude {}", "plain {}", "{}, " + "long " * 60, "{}",
             "\ud55c\uad6d\uc5b4 {}, " + "\u9577\u3044" * 40, "\u05e2\u05d1\u05e8\u05d9\u05ea {}"]
    count = int(header["__metadata__"]["classes"])
    header["__metadata__"]["labels"] = "\n".join(kinds[i % len(kinds)].format(i).strip() for i in range(count))
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    Path("labels.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size:])
    return "labels.safetensors"


def check_columns(name, text, width, networks, beside):
    """Every line fits; all percentages of a column end at one place; nothing hangs at the ends of lines."""
    lines = [line for line in plain(text).split("\n") if "%" in line]
    widest = max(map(display_width, lines))
    tap.ok(widest <= width, f"{name}: fits", f"{widest}\n" + "\n".join(lines))
    ends = {tuple(display_width(line[:m.end()]) for m in re.finditer(r"\d\.\d\d%", line)) for line in lines}
    tap.ok(len(ends) == 1 and len(*ends) == beside and len(lines) == 20 * networks // beside,
           f"{name}: percentages in a column", "\n".join(lines))
    tap.ok(not any(line.endswith("  ") for line in lines), f"{name}: no blanks at the end", lines)


def test_widths(path):
    words = ["classify", "-t", "1", "--picture=none", "-k", "20", "-m", relabelled(path)]
    for columns in (10, 20, 40, 80, 200):
        run = Run([*words, "photo.png"], "bare", columns)
        check_columns(f"{columns} columns", run.text, max(columns, 14), 1, 1)
        tap.ok(("\u2588" in run.text) == (columns >= 40), f"{columns} columns: bars if there is room", run)
    for columns, networks, beside in [(20, 2, 1), (80, 2, 2), (40, 2, 1), (200, 2, 2), (200, 4, 4)]:
        run = Run(words + words[-2:] * (networks - 1) + ["photo.png"], "bare", columns)
        check_columns(f"{networks} networks in {columns} columns", run.text, columns, networks, beside)


# ---- A real terminal ----

def capture(words, columns, rows):
    """What tmux shows after a run, as lines with their colours."""
    tmux = ["tmux", "-L", f"inception-test-{os.getpid()}", "-f", "/dev/null"]
    env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
    env.update(LC_ALL="C.UTF-8", TERM="xterm-256color", TMUX_TMPDIR=str(Path.cwd()), COLORTERM="truecolor")

    def call(*more):
        return subprocess.run([*tmux, *more], env=env, capture_output=True, timeout=60).stdout.decode()
    line = f"exec {shlex.join([COMMAND, *words])}"
    call("new-session", "-d", "-x", str(columns), "-y", str(rows), "sh", "-c", "read -r go; " + line, ";",
         "set", "remain-on-exit", "on", ";", "send-keys", "Enter")
    try:
        for _ in range(600):
            time.sleep(0.1)
            if call("list-panes", "-F", "#{pane_dead}").strip() == "1":
                break
        return call("capture-pane", "-p", "-e").split("\n")
    finally:
        call("kill-server")


def test_tmux(path):
    for columns, rows, networks in [(20, 40, 1), (40, 40, 1), (80, 24, 1), (80, 40, 2), (200, 50, 2)]:
        words = ["classify", "-t", "1", "-k", "5"] + ["-m", "labels.safetensors"] * networks + ["big.png"]
        for _ in range(3):  # on a busy machine tmux may answer too late, and then there is rightly no picture
            lines = capture(words, columns, rows)
            if any("\u2584" in line for line in lines):
                break
        name = f"tmux, {columns} x {rows}, {networks} networks"
        picture = [plain(line) for line in lines if "\u2584" in line]
        tap.ok(1 <= len(picture) <= rows // 2 and len(set(map(len, picture))) == 1 and
               any(re.search(r"[34]8[;:]2[;:]", line) for line in lines), f"{name}: half blocks", "\n".join(lines))
        text = "\n".join(map(plain, lines))
        ends = {tuple(display_width(line[:m.end()]) for m in re.finditer(r"\d\.\d\d%", line))
                for line in text.split("\n") if "%" in line}
        tap.ok(len(ends) == 1 and text.count("%") == 5 * networks, f"{name}: columns", text)
        tap.ok("_G" not in text and "tmux" not in text and "?1;2" not in text, f"{name}: no traces of the questions", text)


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
    Path("photo.png").write_bytes(png(40, 30))
    Path("big.png").write_bytes(png(400, 300))
    for test in (test_asking, test_typed, test_signals):
        tap.attempt(test)
    path, why = model(tap)
    tests = (test_pictures, test_picture_sizes, test_picture_content, test_colours, test_widths, test_tmux)
    for test in tests:
        if not path:
            tap.skip(test.__name__, why)
        elif test is test_tmux and not shutil.which("tmux"):
            tap.skip(test.__name__, "tmux is not installed")
        else:
            tap.attempt(test, str(path))


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
    os.chdir("/")
tap.done()
