"""Manual pages and completion as people get them: from man's formatters, and from the shells themselves.

    test_manual.py [BUILD]      BUILD holds the executable and docs/; default: build

Both are made from the option tables; the help of each command, which comes from the same tables on another way, is what
they are compared with. A shell that is not installed is skipped.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
DOCS = BUILD / "docs"
tap = Tap()


def run(*words, **more):
    settings = {**os.environ, "HOME": os.getcwd(), "LC_ALL": "C.UTF-8", **more}
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env=settings, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def helped(*words):
    return run(str(BUILD / "inception"), *words)[1]


COMMANDS = re.findall(r"^  (\w+) +\w", helped("--help").split("Commands:")[1].split("\n\n")[0], re.MULTILINE)[:-1]


def options_of(command):
    """(letter or '', name, argument or '') of each, as the help has them."""
    return re.findall(r"^ +(?:-(\w), )?--([\w-]+)=?(\S*)", helped(command, "--help"), re.MULTILINE)


# ---- Manual ----

def test_lint(pages):
    dateless = r"mandoc: \S+:2:\d+: WARNING: missing date, using \"\": TH\n"  # a page is made at any time
    for command in (["mandoc", "-Tlint", "-W", "warning"], ["groff", "-man", "-ww", "-z"]):
        if not shutil.which(command[0]):
            tap.skip(f"{command[0]} has nothing to say", f"no {command[0]}")
            continue
        for page in pages:
            said = re.sub(dateless, "", run(*command, str(page))[1])
            tap.ok(said == "", f"{command[0]} has nothing to say of {page.name}", said)


def plain(page):
    """The page as man prints it where there is only ASCII, words one space apart."""
    text = run("man", "--nh", "--nj", "-l", str(page), MANWIDTH="200", LC_ALL="C")[1]
    return re.sub(r"\s+", " ", text)


def test_pages():
    pages = {name: DOCS / f"inception-{name}.1" for name in COMMANDS}
    tap.ok(len(COMMANDS) > 5 and all(page.exists() for page in pages.values()), "a page for each command", COMMANDS)
    overview = plain(DOCS / "inception.1")
    for name, page in pages.items():
        text = plain(page)
        missing = [f"--{option}{'=' * bool(argument)}{argument}" for _, option, argument in options_of(name)
                   if f"--{option}{'=' * bool(argument)}{argument} " not in text]
        tap.ok(not missing, f"inception-{name}(1) has the options of --help", missing)
        about = helped(name, "--help").split("\n\n")
        examples = [line.strip() for line in about[1].splitlines()[1:]]
        missing = [e for e in examples if re.sub(r"\s+", " ", e) not in text]
        tap.ok(examples and not missing, "its examples", missing)
        tap.ok(re.sub(r"\s+", " ", about[2]) in text, "and what it says of the command", about[2])
        tap.ok(f"inception-{name}(1)" in overview, "and inception(1) names it")
    codes = re.findall(r"^ +(\d+)  (.+)", helped("--help"), re.MULTILINE)
    missing = [code for code, meaning in codes if f" {code} {meaning} " not in overview]
    tap.ok(len(codes) > 5 and not missing, "inception(1) has the exit codes of --help", missing)
    names = re.findall(r"^  ([A-Za-z_]{6,}) ", helped("--help").split("Environment:")[1], re.MULTILINE)
    tap.ok(len(names) == 2 and all(f" {name} " in overview for name in names), "and the environment", names)


def test_notes():
    """The page maker refuses a note that has no place, and a list of pages that is not that of the commands."""
    pages = [str(Path(p.name).resolve()) for p in DOCS.glob("*.1")]
    notes = (ROOT / "docs" / "man" / "notes.roff").read_text()
    for name, text, wanted in [("as they are", notes, None),
                               ("an option that is none", notes + '.\\"= classify --flub\nx\n', "'classify --flub'"),
                               ("a command that is none", notes + '.\\"= classfy\nx\n', "'classfy'")]:
        Path("notes.roff").write_text(text)
        code, said = run(str(DOCS / "describe"), "manual", "notes.roff", *pages)
        tap.ok((code == 0 and said == "") if wanted is None else (code == 1 and wanted in said), f"notes: {name}", said)
    code, said = run(str(DOCS / "describe"), "manual", str(ROOT / "docs/man/notes.roff"), *pages[1:])
    tap.ok(code == 1 and "pages, but there are" in said, "a page too few", said)


# ---- Completion ----

def bash(line):
    """What _inception answers at the end of a line that has been split as bash does."""
    words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _inception; printf "%s\\n" "${COMPREPLY[@]}"'
    return set(run("bash", "--norc", "-c", script, "-", str(DOCS / "inception"), *words)[1].split("\n")) - {""}


ZSH = r"""
zmodload zsh/zpty || exit 2
export FOLDER=$1
zpty z zsh -f -i
zpty -w z '
PROMPT= RPROMPT= zle_bracketed_paste=()
fpath=($FOLDER $fpath)
autoload -Uz compinit && compinit -D -u
stty -echo -onlcr
compadd() {
    [[ ${argv[(I)-[OAD]]} = 0 ]] || { builtin compadd "$@"; return }
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -l -- "HIT "$^hits
    builtin compadd "$@"
}
finish() { print END; exit }
bindkey "^I" complete-word
comppostfuncs=(finish)
print READY'
zpty -r z line '*READY*'
zpty -w -n z "$2"$'\t'
zpty -r z line '*END*'
print -r -- $line
"""


def zsh(line):
    """What the completion system of an interactive zsh would add."""
    said = run("zsh", "-f", "-c", ZSH, "-", str(DOCS), line)[1]
    return set(re.findall(r"HIT (.*?)\r?\n", said))


def fish(line):
    said = run("fish", "--no-config", "-c", f"source {DOCS}/inception.fish; complete -C '{line}'")[1]
    return {row.split("\t")[0] for row in said.splitlines()}


def test_completion(shell):
    """Each shell has its own way with --option=: the words are compared without it."""
    def offered(line):
        prefix = line.rsplit(" ", 1)[1]
        prefix = prefix[:prefix.find("=") + 1]
        return {word[len(prefix):] if prefix and word.startswith(prefix) else word for word in shell(line)}

    def check(line, wanted, unwanted=()):
        found = {word.rstrip("/") for word in offered(line)}
        tap.ok(set(wanted) <= found and not set(unwanted) & found, f"{shell.__name__}: {line!r}", found)

    networks = {"v1", "inception_v1", "v4", "irv2", "inception_resnet_v2", "googlenet"}
    here = {"photo one.jpg", "folder"}
    check("inception ", {*COMMANDS, "help"}, here)
    check("inception cl", {"classify"}, {"prepare"})
    check("inception help ", COMMANDS, here)
    check("inception classify ", here, networks)
    check("inception fetch ", here | networks | {"flowers"})
    check("inception models ", {"show", "path", "rm"}, here | networks)
    check("inception models show ", networks, here | {"path"})
    check("inception models rm v2 ", networks, here | {"path"})
    check("inception convert ", here | networks)
    check("inception classify --format ", {"text", "json", "jsonl", "csv", "tsv"}, here)
    check("inception classify -f ", {"text", "json", "jsonl", "csv", "tsv"}, here)
    check("inception classify --format=js", {"json", "jsonl"}, {"text"})
    check("inception classify photo.jpg --theme=", {"light", "dark"}, here)
    check("inception fetch --format=", {"text", "json", "jsonl"}, {"csv"})
    check("inception classify -m ", here | networks | {"flowers"})
    check("inception prepare -n ", networks, here | {"flowers"})
    check("inception prepare --network=inc", {"inception_v3", "inception_resnet_v2"}, {"googlenet", "v3"})
    check("inception classify --sort-into ", {"folder"}, {"photo one.jpg"} | networks)
    check("inception classify --plot ", here, networks)
    check("inception classify --top ", set(), here | networks)
    check("inception nonsense ", set(), networks | set(COMMANDS))
    for command in COMMANDS:
        wanted = {f"--{name}" for _, name, _ in options_of(command)}
        found = {word.rstrip("=") for word in shell(f"inception {command} --")}
        tap.ok(found == wanted, f"{shell.__name__}: all options of {command} and no others", found ^ wanted)


def test_bash_line():
    """The same in an interactive bash, where readline has its own mind about = and spaces."""
    lines = {"inception cla\t": "inception classify ", "inception classify --theme=d\t": "inception classify --theme=dark ",
             "inception classify --thres\t": "inception classify --threshold=",
             "inception classify --theme d\t": "inception classify --theme dark ",
             "inception classify ph\t": "inception classify photo\\ one.jpg ",
             "inception classify --sort-into=fo\t": "inception classify --sort-into=folder/",
             "inception models sh\tgoo\t": "inception models show googlenet "}
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                   {**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null", "PS1": "READY "})

    def answer(typed, mark):
        """What is written until the mark; nobody types before readline listens."""
        os.write(terminal, typed.encode())
        said = b""
        while not re.search(mark, said):
            if not select.select([terminal], [], [], 20)[0]:
                raise TimeoutError(f"no {mark} in {said}")
            said += os.read(terminal, 4096)
        return said.decode("utf-8", "replace")

    answer("", b"READY ")
    answer(f"source {DOCS}/inception; show() {{ echo \"<$READLINE_LINE>\"; }}; bind -x '\"\\C-g\": show'\n", b"\nREADY ")
    for line, wanted in lines.items():
        found = re.search(r"<(inception[^>]*)>", answer(line + "\x07", b"<inception.*>"))[1]
        tap.ok(found == wanted, f"bash: {line!r} becomes {wanted!r}", found)
        answer("\x15\n", b"READY $")
    os.write(terminal, b"exit\n")
    os.close(terminal)
    os.waitpid(child, 0)


def main():
    Path("folder").mkdir()
    Path("photo one.jpg").write_bytes(b"")
    tap.attempt(test_lint, sorted(DOCS.glob("*.1")))
    tap.attempt(test_pages)
    tap.attempt(test_notes)
    for shell in (bash, zsh, fish):
        if shutil.which(shell.__name__):
            tap.attempt(test_completion, shell)
        else:
            tap.skip(f"{shell.__name__} completes", f"no {shell.__name__}")
    tap.attempt(test_bash_line)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
    os.chdir("/")
tap.done()
