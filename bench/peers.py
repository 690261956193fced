"""This project against OpenVINO, ONNX Runtime, PyTorch and TensorFlow: the same networks and weights on the same threads,
measured alternately.

    python3 bench/peers.py                                     all six networks with made-up weights
    python3 bench/peers.py -m inception_v3.ckpt --photo a.jpg  these, and what one photo costs in a fresh process
    python3 bench/peers.py -n v3 --peers openvino --precision f32,bf16 --batch 1

Installs each peer into a virtual environment of its own below --folder, outside the tree: 8 GB for all, most of them
PyTorch's libraries for graphics cards (pip's own settings may name an index of its builds without them). Weights are
exported with `inception convert`; every process is bound to the same --threads CPUs, and only one works at a time.

A round measures each contestant once, in an order that turns. Milliseconds are the median over all rounds; a ratio is
theirs to ours of the same round, so what slows the machine for a while slows both, and its spread is that over the rounds.
"off" is how far a peer's logits are from those of the first one in f32, relative to the largest: a network that was
exported wrongly would show there. Our own correctness is the tests' business.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = "inception"
NETWORKS = {"v1": 1001, "v2": 1001, "v3": 1001, "v4": 1001, "resnet_v2": 1001, "googlenet": 1000}  # classes
PEERS = {  # name: packages, precisions
    "openvino": ("openvino==2026.4.1 nncf==3.4.0 pillow", ["f32", "bf16", "int8"]),
    "onnxruntime": ("onnxruntime==1.32.0 onnx==1.23.2 pillow", ["f32", "int8"]),
    "torch": ("torch==2.15.0 onnx==1.23.2", ["f32", "bf16"]),
    "tensorflow": ("tensorflow-cpu==2.12.1 tf_slim==1.1.0", ["f32"]),
}
SOME_FAILED = 1  # exit status of `inception` where some photos could not be read
SETTLE = 0.3  # seconds: thread pools that wait by spinning have given up by then
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # NumPy's pool, which nobody here needs

# The shortest program that names what is on a photo, with its precisions, of peers that need no minute to start: MODEL
# PHOTO CACHE PRECISION THREADS WIDTH HEIGHT. Its first run fills the peer's cache.
PROGRAMS = {
    "openvino": (["f32", "bf16", "int8"], """
import sys
import numpy as np, openvino as ov
from PIL import Image
model, photo, cache, precision, threads, width, height = sys.argv[1:]
compiled = ov.Core().compile_model(model.replace(".onnx", "-int8.xml" if precision == "int8" else "-f32.xml"), "CPU", {
    "CACHE_DIR": cache, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": int(threads),
    "INFERENCE_PRECISION_HINT": "f32" if precision == "f32" else "bf16"})
x = np.asarray(Image.open(photo).convert("RGB").resize((int(width), int(height))), np.float32)[None] / 127.5 - 1
print(compiled(x)["probabilities"].argmax())
"""),
    "onnxruntime": (["f32", "int8"], """
import os, sys
import numpy as np, onnxruntime as ort
from PIL import Image
model, photo, cache, precision, threads, width, height = sys.argv[1:]
options = ort.SessionOptions()
options.intra_op_num_threads = int(threads)
options.log_severity_level = 3
optimised = os.path.join(cache, "optimised.onnx")
if os.path.exists(optimised):
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
else:
    options.optimized_model_filepath = optimised
    model = model.replace(".onnx", "-int8.onnx") if precision == "int8" else model
session = ort.InferenceSession(optimised if os.path.exists(optimised) else model, options)
x = np.asarray(Image.open(photo).convert("RGB").resize((int(width), int(height))), np.float32)[None] / 127.5 - 1
print(session.run(["probabilities"], {"input": x})[0].argmax())
"""),
}


class Missing(Exception):
    """A contestant that cannot take part, and why."""


def words():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("-m", "--model", action="append", help="weights, in any format; may be repeated")
    parser.add_argument("-n", "--networks", type=listed, default=list(NETWORKS), help="without --model: which to make up")
    parser.add_argument("--peers", type=listed, default=list(PEERS), help="default: " + ",".join(PEERS))
    parser.add_argument("--precision", type=listed, default=["f32", "bf16", "int8"])
    parser.add_argument("--batch", type=listed, default=["1", "16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one peer in one round")
    parser.add_argument("--photo", help="for the start of a fresh process; without: not measured")
    parser.add_argument("--photos", help="a folder to calibrate int8 with, ours and theirs (the first 300 photos), the first "
                        "one is what is measured with; without: noise, which is as fast")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="where `inception` is; default: build")
    parser.add_argument("--folder", default=os.path.expanduser("~/.cache/inception-peers"), help="for the peers")
    return parser.parse_args()


def run(*command, allowed=(0,)):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode not in allowed:
        raise Missing((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return done.stdout


def install(folder, name):
    """The Python of the peer's environment."""
    packages, home = PEERS[name][0], os.path.join(folder, name)
    stamp, python = os.path.join(home, "installed"), os.path.join(home, "bin", "python")
    if not os.path.exists(stamp) or open(stamp).read() != packages:
        print(f"installing {packages} ...", file=sys.stderr)
        run(sys.executable, "-m", "venv", home)
        run(python, "-m", "pip", "install", "-q", *packages.split())
        with open(stamp, "w") as file:
            file.write(packages)
    return python


class Process:
    """A contestant: prints a line of JSON when it is ready, then one of times for each number of seconds that it reads."""

    def __init__(self, *command):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=ENVIRONMENT)
        self.ready = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise Missing((self.errors.read().strip().splitlines() or ["ended"])[-1])
        return json.loads(line)

    def measure(self, seconds):
        with contextlib.suppress(OSError):  # it has ended, which answer() sees
            print(seconds, file=self.process.stdin, flush=True)
        return statistics.median(self.answer())

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait()


class Peer(Process):
    def __init__(self, python, name, model, precision, batch, threads, size, photos):
        script = os.path.join(ROOT, "bench", "contestant.py")
        super().__init__(python, script, name, model, precision, batch, threads, *size, photos)
        self.logits = self.ready["logits"]


class Ours:
    logits = None

    def __init__(self, command, model, precision, batch, threads):
        self.words = [command, "bench", "-m", model, "--precision", precision, "--batch", batch, "--threads", threads,
                      "--format=jsonl"]
        self.precision, self.batch = precision, int(batch)
        self.measure(0)  # what it keeps for later starts is written now

    def measure(self, seconds):
        rows = [json.loads(line) for line in run(*self.words, "--seconds", str(max(seconds, 0.01))).splitlines()]
        rows = [row for row in rows if row["precision"] == self.precision and row["batch"] == self.batch]
        if not rows:
            raise Missing(f"no figure for {self.precision}, batch {self.batch}")
        return rows[0]["median_ms"]

    def close(self):
        pass


def spawned(command):
    """Wall clock of a fresh process in milliseconds, and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=ENVIRONMENT)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = (time.perf_counter() - start) * 1e3
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Missing((errors.decode(errors="replace").strip().splitlines() or ["failed"])[-1])
    return elapsed, usage.ru_maxrss / 1024


def distance(logits, truth):
    return max(abs(a - b) for a, b in zip(logits, truth)) / max(map(abs, truth))


def print_row(*cells):
    print("{:<20} {:<9} {:>5}  {:<12} {:>9} {:>6}  {:<12} {}".format(*cells).rstrip(), flush=True)


def table(what, rounds, last):
    """Rows of contestants: median, ratio to ours and its spread."""
    ours = rounds.get(OURS)
    for name, values in rounds.items():
        ratio = spread = "-"
        if ours:
            ratios = [theirs / own for theirs, own in zip(values, ours)]
            ratio, spread = f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}-{max(ratios):.2f}"
        print_row(*what, name, f"{statistics.median(values):.2f}", ratio, spread, last(name))


def alternately(contestants, options, what, notes, measure):
    """name -> one value a round, in an order that turns. Who fails on the way leaves."""
    rounds = {name: [] for name in contestants}
    for number in range(options.rounds):
        order = list(rounds)
        for name in order[number % len(order):] + order[:number % len(order)] if order else []:
            time.sleep(SETTLE)
            try:
                rounds[name].append(measure(name))
            except Missing as why:
                notes.append(f"{what}: {name} left: {why}")
                del rounds[name]
    return rounds


def compare(options, pythons, notes, net, precision, batch, truth):
    """One cell: who takes part, measured alternately. `truth`: logits of the first f32 contestant, once there is one."""
    what, own = f"{net['name']}, {precision}, batch {batch}", net["int8" if precision == "int8" else "model"]
    starters = {OURS: lambda: Ours(options.command, own, precision, batch, options.threads)}
    for peer, python in pythons.items():
        model = net.get("checkpoint") if peer == "tensorflow" else net["onnx"]
        if model and precision in PEERS[peer][1]:
            starters[peer] = lambda peer=peer, python=python, model=model: Peer(
                python, peer, model, precision, batch, options.threads, net["size"], net["photos"])
    contestants = {}
    try:
        for name, start in starters.items():
            try:
                contestants[name] = start()
            except Missing as why:
                notes.append(f"{what}: {name} does not take part: {why}")
        rounds = alternately(contestants, options, what, notes, lambda name: contestants[name].measure(options.seconds))
    finally:
        for one in contestants.values():
            one.close()
    logits = {name: one.logits for name, one in contestants.items() if one.logits}
    if precision == "f32" and not truth:
        truth.extend(next(iter(logits.values()), []))
    table((net["name"], precision, batch), rounds,
          lambda name: f"{distance(logits[name], truth):.0e}" if name in logits and truth else "")


def compare_starts(options, pythons, notes, net, precision):
    """The same for the start of a fresh process."""
    what, own, memory = f"{net['name']}, {precision}, start", net["int8" if precision == "int8" else "model"], {}
    programs = {OURS: [options.command, "classify", "-m", own, "--precision", precision, "--threads", options.threads,
                       options.photo]}
    for peer, (precisions, program) in PROGRAMS.items():
        if peer in pythons and precision in precisions:
            cache = os.path.join(net["folder"], f"{peer}-{precision}")
            os.makedirs(cache, exist_ok=True)
            programs[peer] = [pythons[peer], "-c", program, net["onnx"], options.photo, cache, precision, options.threads,
                              *net["size"]]

    def measure(name):
        elapsed, memory[name] = spawned(programs[name])
        return elapsed

    for name in list(programs):
        try:
            measure(name)  # fills caches
        except Missing as why:
            notes.append(f"{what}: {name} does not take part: {why}")
            del programs[name]
    rounds = alternately(programs, options, what, notes, measure)
    table((net["name"], precision, "start"), rounds, lambda name: f"{memory[name]:.0f} MB")


def said(path, key):
    """What the ONNX file says of itself under the key: short texts in its metadata, which come early in the file."""
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    at = head.find(key.encode() + b"\x12") + len(key) + 1  # in front of the text: one byte, its length
    if at <= len(key):
        raise Missing(f"{path}: no {key} in its metadata")
    return head[at + 1:at + 1 + head[at]].decode()


def noise(path):
    """A photo of nothing: 64 x 64 pixels, BMP."""
    with open(path, "wb") as file:
        file.write(struct.pack("<2sIIIIiiHHIIiiII", b"BM", 54 + 64 * 64 * 3, 0, 54, 40, 64, 64, 1, 24, 0, 0, 0, 0, 0, 0))
        file.write(random.randbytes(64 * 64 * 3))
    return path


def export(options, folder, model):
    """What the contestants need of one network, made from its weights; photos that cannot be read are passed over."""
    net = {"model": model, "int8": os.path.join(folder, "int8.safetensors"), "folder": folder,
           "onnx": os.path.join(folder, "x.onnx"), "photos": folder}
    if "int8" in options.precision:
        run(options.command, "convert", "--int8", "--calibrate", options.photos or noise(os.path.join(folder, "noise.bmp")),
            model, net["int8"], allowed=(0, SOME_FAILED))
    run(options.command, "convert", model, net["onnx"])
    net["name"] = said(net["onnx"], "network")
    net["size"] = said(net["onnx"], "input_width"), said(net["onnx"], "input_height")
    if net["name"] in ("inception_v1", "inception_v2", "inception_v3"):  # those that TF-Slim's package has
        net["checkpoint"] = os.path.join(folder, "x.ckpt") + ":" + net["name"]
        run(options.command, "convert", model, os.path.join(folder, "x.ckpt"))
    if options.photos:
        net["photos"] = os.path.join(folder, "photos")
        os.mkdir(net["photos"])
        run(options.command, "prepare", "-m", model, "-f", "npy", "-o", net["photos"], options.photos,
            allowed=(0, SOME_FAILED))
    return net


def made_up(options, folder):
    """Weights from the tests' formula, a network after the other."""
    for name in options.networks:
        path = os.path.join(folder, name + ".safetensors")
        run(options.maker, path, name, NETWORKS[name])
        yield path
        os.unlink(path)


def machine(options):
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    return f"{model}, {options.threads} threads on CPUs {sorted(os.sched_getaffinity(0))}, load {os.getloadavg()[0]:.1f}"


def check_words(option, given, known):
    for word in given:
        if word not in known:
            sys.exit(f"{option}: there is no '{word}'; there are {', '.join(known)}")


def begin(options, names, notes, last):
    """Installs the peers, binds all processes to the same CPUs, prints what comes before the table: name -> Python. From here
    on SIGTERM and a terminal that is closed end it as Ctrl-C does, scratch folders removed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    options.folder = os.path.abspath(options.folder)
    if os.path.commonpath([options.folder, ROOT]) == ROOT:
        sys.exit("--folder must lie outside the tree: what is installed there is not the project's")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])
    os.makedirs(options.folder, exist_ok=True)
    pythons = {}
    for name in names:
        try:
            pythons[name] = install(options.folder, name)
        except Missing as why:
            notes.append(f"{name} could not be installed: {why}")
    print(machine(options))
    print(", ".join(f"{name}: {PEERS[name][0]}" for name in pythons))
    print_row("network", "precision", "batch", "contestant", "ms/photo", "ratio", "spread", last)
    return pythons


def end(notes):
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    for note in notes:
        print("note:", note)


def main():
    options = words()
    options.command = os.path.join(os.path.abspath(options.build), "inception")
    options.maker = os.path.join(os.path.abspath(options.build), "tests", "tiny_model")
    for needed in [options.command] + ([] if options.model else [options.maker]):
        if not os.path.exists(needed):
            sys.exit(f"{needed} is not there: build the project first, with its tests, or say --build")
    check_words("--networks", options.networks, NETWORKS)
    check_words("--peers", options.peers, PEERS)
    check_words("--precision", options.precision, ["f32", "bf16", "int8"])
    notes = []
    pythons = begin(options, options.peers, notes, "off or peak")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        if all(map(os.path.exists, options.model or [])):  # what is kept for models that are soon gone goes with them
            ENVIRONMENT["XDG_CACHE_HOME"] = scratch
        for number, model in enumerate(options.model or made_up(options, scratch)):
            folder, truth = os.path.join(scratch, str(number)), []
            os.mkdir(folder)
            try:
                net = export(options, folder, model)
            except Missing as why:
                notes.append(f"{model} is left out: {why}")
                continue
            for precision in options.precision:
                for batch in options.batch:
                    compare(options, pythons, notes, net, precision, batch, truth)
                if options.photo:
                    compare_starts(options, pythons, notes, net, precision)
            shutil.rmtree(folder)
    end(notes)


if __name__ == "__main__":
    main()
