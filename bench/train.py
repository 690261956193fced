"""A step of fine-tuning all of Inception V3 against PyTorch, measured alternately: time and memory.

    python3 bench/train.py                                  batches of 16 and 32, f32 and bf16
    python3 bench/train.py --batch 16 --precision bf16 --peers eager --rounds 1 --seconds 1

PyTorch is installed, and ratios are taken, as peers.py does; `eager` and `compiled` (torch.compile) are two contestants.
Wants a build with -Dtests=true. The network is TF-Slim's with its auxiliary classifier, made from this project's own table,
since torchvision's is another one: batch norm without scale and by the batch's statistics, softmax cross entropy of both
classifiers, weight decay, RMSProp. Photos are noise, 1001 classes. Memory is the most that the process ever had, with that
of Python and the libraries."""
import argparse
import json
import os
import re
import statistics
import sys
import time

import peers

CLASSES, SIDE = 1001, 299
TABLE = os.path.join(peers.ROOT, "src", "model", "inception_v3.c")


# ---- PyTorch, in a process of its own ----

def network(t):
    """The rows of the table (src/model/rows.h) as modules: trunk, auxiliary classifier, the trunk from there on."""
    nn = t.nn
    with open(TABLE) as file:
        text = file.read().split("= {", 1)[1]
    rows = re.findall(r"\b(CONV|LINEAR|MAX|AVG|DROPOUT|SCOPE|HEAD|BRANCH|JOIN|END)\b(?:\(([^)]*)\))?", text)
    head = []

    class Joined(nn.ModuleList):
        def forward(self, x):
            return t.cat([branch(x) for branch in self], 1)

    def step(kind, words, channels):
        """A row that is one layer: its modules, and the channels behind them."""
        if kind == "DROPOUT":
            return [nn.Dropout(0.2)], channels
        if kind in ("MAX", "AVG"):
            size, by, pad = int(words[1]), int(words[2]), int(words[1]) // 2 if words[3] == "SAME" else 0
            pool = nn.MaxPool2d(size, by, pad) if kind == "MAX" else nn.AvgPool2d(size, by, pad, count_include_pad=False)
            return [pool], channels
        h, w, by = (int(word) or 5 for word in words[1:4])  # 0: the whole map, which is 5 x 5 where that is said
        pad, out = (h // 2, w // 2) if words[4] == "SAME" else 0, CLASSES if words[5] == "CLASSES" else int(words[5])
        conv = nn.Conv2d(channels, out, (h, w), by, pad, bias=kind == "LINEAR")
        if kind == "LINEAR":
            return [conv, nn.Flatten()], out
        norm = nn.BatchNorm2d(out, eps=1e-3, momentum=3e-4)
        norm.weight.requires_grad_(False)  # TF-Slim's has none
        return [conv, norm, nn.ReLU(inplace=True)], out

    def sequence(channels, ends):
        """Rows up to one of `ends`."""
        steps = []
        while rows and rows[0][0] not in ends:
            kind, words = rows[0][0], [word.strip() for word in rows.pop(0)[1].split(",")]
            if kind == "BRANCH":
                branches = []
                while kind == "BRANCH":
                    branches.append(sequence(channels, ("BRANCH", "JOIN")))
                    kind = rows.pop(0)[0]
                steps.append(Joined(steps_of for steps_of, _ in branches))
                channels = sum(out for _, out in branches)
            elif kind in ("SCOPE", "HEAD"):
                inner, out = sequence(channels, ("END",))
                rows.pop(0)
                if kind == "HEAD":
                    head.extend([len(steps), inner])
                else:
                    steps.append(inner)
                    channels = out
            else:
                more, channels = step(kind, words, channels)
                steps += more
        return nn.Sequential(*steps), channels

    trunk, _ = sequence(3, ())
    cut, auxiliary = head
    return nn.ModuleList([trunk[:cut], auxiliary, trunk[cut:]])


def contest(how, precision, batch, threads):
    """As train_step.c: a line when the first step is done; reads seconds, prints the milliseconds a photo of each step."""
    import torch as t
    answers, sys.stdout = sys.stdout, sys.stderr  # it talks
    t.set_num_threads(threads)
    t.manual_seed(1)
    net = network(t).to(memory_format=t.channels_last)
    parts = [p for p in net.parameters() if p.requires_grad]
    decayed, others = [p for p in parts if p.dim() > 1], [p for p in parts if p.dim() == 1]
    rule = t.optim.RMSprop([{"params": decayed, "weight_decay": 4e-5}, {"params": others}], lr=1e-4, alpha=0.9, eps=1.0,
                           momentum=0.9)
    x = (t.rand(batch, 3, SIDE, SIDE) * 2 - 1).to(memory_format=t.channels_last)
    y = t.arange(batch) % CLASSES

    def loss():
        middle = net[0](x)
        entropy = t.nn.functional.cross_entropy
        return entropy(net[2](middle).float(), y) + 0.4 * entropy(net[1](middle).float(), y)

    change = rule.step
    if how == "compiled":
        loss, change = t.compile(loss), t.compile(rule.step)

    def step():
        start = time.perf_counter()
        rule.zero_grad()
        with t.autocast("cpu", t.bfloat16, enabled=precision == "bf16"):
            value = loss()
        value.backward()
        change()
        return (time.perf_counter() - start) * 1e3 / batch

    step()
    print("[]", file=answers, flush=True)
    for line in sys.stdin:
        end, times = time.perf_counter() + float(line), [step()]
        while time.perf_counter() < end:
            times.append(step())
        print(json.dumps(times), file=answers, flush=True)


# ---- the contest ----

class Contestant(peers.Process):
    megabytes = 0

    def measure(self, seconds):
        median = super().measure(seconds)
        with open(f"/proc/{self.process.pid}/status") as file:
            self.megabytes = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
        return median


def compare(options, python, notes, precision, batch):
    what, contestants = f"{precision}, batch {batch}", {}
    commands = {peers.OURS: [options.program, "v3", CLASSES, batch, precision, options.threads]}
    for how in options.peers if python else []:
        commands[how] = [python, __file__, "--contestant", how, precision, batch, options.threads]
    try:
        for name, command in commands.items():
            try:
                contestants[name] = Contestant(*command)
            except peers.Missing as why:
                notes.append(f"{what}: {name} does not take part: {why}")
        rounds = peers.alternately(contestants, options, what, notes,
                                   lambda name: contestants[name].measure(options.seconds))
    finally:
        for one in contestants.values():
            one.close()
    peers.table(("inception_v3", precision, batch), rounds, lambda name: "{:.2f} photos/s, {:.0f} MB".format(
        1e3 / statistics.median(rounds[name]), contestants[name].megabytes))


def words():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--peers", type=listed, default=["eager", "compiled"])
    parser.add_argument("--precision", type=listed, default=["f32", "bf16"])
    parser.add_argument("--batch", type=listed, default=["16", "32"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of one contestant in one round; one step at least")
    parser.add_argument("--build", default=os.path.join(peers.ROOT, "build"), help="default: build")
    parser.add_argument("--folder", default=os.path.expanduser("~/.cache/inception-peers"), help="for PyTorch")
    parser.add_argument("--contestant", nargs=4, help=argparse.SUPPRESS)  # what contest() takes
    return parser.parse_args()


def main():
    options = words()
    if options.contestant:
        how, precision, batch, threads = options.contestant
        return contest(how, precision, int(batch), int(threads))
    options.program = os.path.join(os.path.abspath(options.build), "tests", "train_step")
    if not os.path.exists(options.program):
        sys.exit(f"{options.program} is not there: build the project with its tests first, or say --build")
    peers.check_words("--peers", options.peers, ["eager", "compiled"])
    peers.check_words("--precision", options.precision, ["f32", "bf16"])
    notes = []
    python = peers.begin(options, ["torch"], notes, "speed, memory").get("torch")
    for precision in options.precision:
        for batch in options.batch:
            compare(options, python, notes, precision, batch)
    peers.end(notes)


if __name__ == "__main__":
    main()
