"""Runs the project on a machine that has nothing but Python 3.11 or newer.

    python3 tools/go.py demo ...    the simulated street; every word goes on to the `trottoir` command
    python3 tools/go.py test ...    every check that this machine can do; further words go on to pytest

`bench core`, `bench batch`, `node flash` and `node label` need packages that nothing else needs: started from here, they get
them first.
The first start makes a private Python environment, `.venv` beside this folder, out of the exact packages in
requirements/*.txt, each compared with its hash. Later starts find it ready and go straight on. An environment that was
interrupted, damaged or moved is made anew. Exit code 3 and one line: this machine cannot run it, and what to do.
Only the standard library, and nothing that an older Python 3 could not read: it must get as far as saying so.
"""

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "go.json"  # what stands in .venv; absent while something is being changed
LOCK = VENV / "go.lock"
LOG = VENV / "go.log"
LAYOUT = 1  # rises whenever .venv has to be made in another way

RUN = ("run.txt",)
FLASH = ("run.txt", "flash.txt")
TEST = ("run.txt", "flash.txt", "test.txt", "stubs.txt")
BENCH = ("run.txt", "bench.txt")
WITH_PEERS = ("bench core", "bench batch")  # the commands that measure against other packages
AT_THE_BENCH = ("node flash", "node label")  # those that put firmware onto boards, and labels
BUILT = ("--no-binary", "esptool", "--no-build-isolation")  # it has no ready-made file; the setuptools of run.txt build it
STUBS = VENV / "stubs"  # MicroPython's types, apart: they describe another `time` than this Python's

NETWORK = r"Could not fetch URL \S+: (?!4\d\d )|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|IncompleteRead"
TROUBLES = (  # what pip's log tells, and the line for it; the first that fits
    ("DO NOT MATCH THE HASHES", "a downloaded package is not the one locked in requirements/, so it was refused"),
    (r"No space left on device|Errno 28\b|WinError 112", "the disk is full: free some space"),
    (r"(?i)error: .*(permission denied|read-only file|WinError 5\b)", "this folder is not writable: use your own"),
    (NETWORK, "cannot reach the package index: check the network, then start again"),
    ("No matching distribution", "a package has no ready-made file for this kind of machine or this Python"),
)
GERMAN = {  # the lines of this file; all others stand in the message catalogue, which is read once there is a .venv
    "needs Python 3.11 or newer, and this is {version}": "braucht Python 3.11 oder neuer, und dies ist {version}",
    "Python's venv module is missing: {remedy}": "Pythons Modul venv fehlt: {remedy}",
    "install it, or Python from python.org": "nachinstallieren, oder Python von python.org nehmen",
    "this checkout is not complete: {path} is missing": "hier ist nicht alles da: {path} fehlt",
    "a downloaded package is not the one locked in requirements/, so it was refused":
        "ein geladenes Paket ist nicht das in requirements/ festgelegte und wurde abgelehnt",
    "the disk is full: free some space": "der Datenträger ist voll: Platz schaffen",
    "this folder is not writable: use your own": "dieser Ordner ist nicht beschreibbar: einen eigenen nehmen",
    "cannot reach the package index: check the network, then start again":
        "das Paketverzeichnis ist nicht erreichbar: Netz prüfen, dann noch einmal starten",
    "a package has no ready-made file for this kind of machine or this Python":
        "von einem Paket gibt es keine fertige Datei für diese Art Rechner oder dieses Python",
    "could not make .venv": ".venv ließ sich nicht anlegen",
    "could not install requirements/{lock}": "requirements/{lock} ließ sich nicht installieren",
    "{what}. Details: {log}": "{what}. Einzelheiten: {log}",
    "package {count} of {total}: {name}": "Paket {count} von {total}: {name}",
    "{count} of {total} packages are here, unpacking": "{count} von {total} Paketen sind da, auspacken",
    "another start is setting up, waiting": "ein anderer Start richtet gerade ein, warten",
    "compiling the counting core": "der Zählkern wird kompiliert",
    "the counting core runs uncompiled, which is slower and counts the same":
        "der Zählkern läuft unkompiliert, das ist langsamer und zählt dasselbe",
    "setting up {venv}; later starts skip this": "{venv} wird eingerichtet; spätere Starts lassen das aus",
    "making .venv": ".venv wird angelegt",
    "ready after {seconds} s": "bereit nach {seconds} s",
    "cannot set up {venv}: {error}": "{venv} lässt sich nicht einrichten: {error}",
    "interrupted": "abgebrochen",
}  # fmt: skip
CHATTER = re.compile(r"^\S+\s+(Found|Skipping) link.*\n", re.MULTILINE)  # 99 of 100 lines of pip's log, and no news


class SetupError(Exception):
    """This machine cannot run the project as it is; the text is one line for its user."""


class NothingChangedError(SetupError):
    """The same, and .venv is as whole as it was before."""


def speaks_german(words, environment):
    """As the command itself decides: what --lang says, else the system's language."""
    asked = re.findall(r"(?:^| )--lang[ =](\S+)", " ".join(words))
    system = [environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    wish = next((name for name in asked + system if name), "")
    return re.split(r"[-_.;@]", wish.lower())[0] == "de"


def in_words(text, **values):
    """A line in the user's language."""
    is_german = speaks_german(sys.argv[1:], os.environ)
    return (GERMAN[text] if is_german else text).format(**values)


def say(text):
    """One line to the user, on stderr: stdout belongs to the command that runs next."""
    print("trottoir:", text, file=sys.stderr, flush=True)


def check_python(version=sys.version_info):
    if tuple(version[:2]) < (3, 11):
        raise SetupError(in_words("needs Python 3.11 or newer, and this is {version}", version=f"{version[0]}.{version[1]}"))


def check_venv_module(find=importlib.util.find_spec):
    if not (find("venv") and find("ensurepip")):
        remedy = "sudo apt install python3-venv" if shutil.which("apt") else in_words("install it, or Python from python.org")
        raise SetupError(in_words("Python's venv module is missing: {remedy}", remedy=remedy))


def basis():
    """What .venv as a whole depends on: another basis means making it anew."""
    return {"layout": LAYOUT, "python": [sys.implementation.cache_tag, sysconfig.get_platform()], "checkout": str(ROOT)}


def digest(lock):
    path = ROOT / "requirements" / lock
    if not path.exists():
        raise SetupError(in_words("this checkout is not complete: {path} is missing", path=path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_stamp():
    """Basis and lock digests that .venv was finished with; nothing if it is absent, half made or of another basis."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
        home = re.findall(r"^home *= *(.+)$", settings, re.MULTILINE)[0]
        whole = stamp["basis"] == basis() and PYTHON.exists() and Path(home).exists()
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return stamp if whole else None


def write_stamp(locks, core):
    """Says that .venv is whole, and for which core; whoever reads it half written takes it for absent."""
    STAMP.write_text(json.dumps({"basis": basis(), "locks": locks, "core": core}), encoding="utf-8")


def core_digest():
    """What the compiled core depends on. Where it could not be compiled, only another source is a reason to try again."""
    types = sorted((ROOT / "gateway").glob("*.pxd"))
    sources = [path for typed in types for path in (typed, typed.with_suffix(".py")) if path.exists()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def outdated(locks):
    """Which of the locks are still to be installed."""
    stamp = read_stamp()
    done = stamp["locks"] if stamp else {}
    return [lock for lock in locks if done.get(lock) != digest(lock)]


def is_ready(locks):
    """Whether .venv holds what the locks say, and the core was compiled from today's sources, or could not be."""
    stamp = read_stamp()
    return stamp is not None and not outdated(locks) and stamp.get("core") == core_digest()


class Progress:
    """How far the setting up is: one line that is rewritten on a terminal, now and then a line elsewhere."""

    def __init__(self, total):
        self.total, self.count, self.live, self.told = total, 0, sys.stderr.isatty(), time.monotonic()
        self.width = shutil.get_terminal_size().columns - 1

    def show(self, text):
        if self.live:
            print("\r" + f"trottoir: {text}"[: self.width].ljust(self.width), end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.told > 5:
            say(text)
            self.told = time.monotonic()

    def follow(self, line):
        """Understands a line of pip's output."""
        package = re.match(r"(?:Collecting|Processing) (?:\S*[/\\])?([\w.]+(?:-[a-z_]\w*)*)", line)
        size = re.match(r"\s+Downloading (\S+?)-\d\S* (\(.+\))", line)
        if package:
            self.count += 1
            self.tell(package.group(1))
        elif size:
            self.tell(f"{size.group(1)} {size.group(2)}")
        elif line.startswith("Ignoring"):  # a package for other machines
            self.total -= 1
        elif line.startswith("Installing"):
            self.show(in_words("{count} of {total} packages are here, unpacking", count=self.count, total=self.total))

    def tell(self, name):
        self.show(in_words("package {count} of {total}: {name}", count=self.count, total=self.total, name=name))

    def close(self):
        if self.live:
            print("\r" + " " * self.width, end="\r", file=sys.stderr, flush=True)


def try_lock(handle):
    """Whether the open file is now this process's. The system gives it back when the process ends, however it ends."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def only_one_start():
    """Holds the lock on .venv; waits for another start that is setting up."""
    VENV.mkdir(exist_ok=True)
    with LOCK.open("a") as handle:
        if not try_lock(handle):
            say(in_words("another start is setting up, waiting"))
            while not try_lock(handle):
                time.sleep(0.1)
        yield handle


def call(command, handle, follow=lambda line: None):
    """Runs a command of the setting up; its lines go to `follow`. It shares the lock: were this process killed, the
    next start waits until the command has ended too, and then finds no stamp."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    text = {"universal_newlines": True, "errors": "replace"}
    environment = dict(os.environ, PIP_USER="0", PYTHONUNBUFFERED="1")
    shared = () if os.name == "nt" else (handle.fileno(),)
    process = subprocess.Popen([str(word) for word in command], env=environment, pass_fds=shared, **streams, **text)
    output = ""
    try:
        for line in process.stdout or ():
            output += line
            follow(line)
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()
    return process.returncode, output


def make_venv(handle):
    """Makes .venv anew, without packages, and names the checkout in it, so that `import gateway` works there."""
    check_venv_module()
    for old in VENV.iterdir():
        if old != LOCK:
            shutil.rmtree(str(old)) if old.is_dir() and not old.is_symlink() else old.unlink()
    python = getattr(sys, "_base_executable", sys.executable)  # this process may itself run in the old .venv
    code, output = call([python, "-I", "-m", "venv", VENV], handle)
    LOG.write_text(output, encoding="utf-8")
    if code:
        raise SetupError(explain(output, in_words("could not make .venv")))
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV), "platbase": str(VENV)}))
    folders = [os.path.relpath(str(folder), str(packages)) for folder in (ROOT, ROOT / "firmware")]
    (packages / "trottoir.pth").write_text("\n".join(folders) + "\n", encoding="utf-8")
    if os.name == "nt":
        (VENV / "Scripts/trottoir.cmd").write_text('@"%~dp0python.exe" -P -m tools.start %*\n')
    else:
        script = VENV / "bin/trottoir"
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -P -m tools.start "$@"\n', encoding="utf-8")
        script.chmod(0o755)


def install(lock, handle, progress):
    """Installs one lock's packages. NothingChangedError: pip gave up before it touched what stands in .venv."""
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    options += ["--progress-bar", "off", "--log", LOG, "-r", ROOT / "requirements" / lock]
    if lock == "flash.txt":
        options += BUILT
    if lock == "stubs.txt":
        shutil.rmtree(str(STUBS), ignore_errors=True)
        options += ["--target", STUBS]
    LOG.write_text("", encoding="utf-8")  # pip appends
    code, output = call([PYTHON, "-I", "-m", "pip", "install", *options], handle, progress.follow)
    log = CHATTER.sub("", LOG.read_text(encoding="utf-8", errors="replace"))
    LOG.write_text(log, encoding="utf-8")
    if code:
        kind = SetupError if "\nInstalling" in output else NothingChangedError
        raise kind(explain(log + output, in_words("could not install requirements/{lock}", lock=lock)))


def compile_core(handle, progress):
    """Compiles the counting core beside its sources. Without a C compiler these run as they are: slower, the same answers."""
    progress.show(in_words("compiling the counting core"))
    code, output = call([PYTHON, "-P", "-m", "tools.compile_core"], handle)
    if code:
        LOG.write_text(output, encoding="utf-8")
        say(with_log(in_words("the counting core runs uncompiled, which is slower and counts the same")))


def explain(log, otherwise):
    """The one line for what pip's log and output tell (a full disk cuts the log off), and where the log is."""
    return with_log(next((in_words(line) for pattern, line in TROUBLES if re.search(pattern, log)), otherwise))


def with_log(what):
    return in_words("{what}. Details: {log}", what=what, log=LOG)


def prepare(locks):
    """Makes .venv hold what the locks say. While it works there is no stamp, so that whatever interrupts it,
    the next start makes .venv anew. Then compiles the core; interrupted in that, the next start compiles again."""
    with only_one_start() as handle:
        if is_ready(locks):  # perhaps by now, after waiting for another start
            return
        missing = outdated(locks)
        started = time.monotonic()
        say(in_words("setting up {venv}; later starts skip this", venv=VENV))
        rows = "".join((ROOT / "requirements" / lock).read_text(encoding="utf-8") for lock in missing)
        progress = Progress(len(re.findall(r"^\w", rows, re.MULTILINE)))
        stamp = read_stamp()
        done = stamp["locks"] if stamp else {}
        if missing:
            with contextlib.suppress(FileNotFoundError):
                STAMP.unlink()
        try:
            if stamp is None:
                progress.show(in_words("making .venv"))
                make_venv(handle)
            for lock in missing:
                done.pop(lock, None)
                install(lock, handle, progress)
                done[lock] = digest(lock)
            if missing:
                write_stamp(done, "")
            compile_core(handle, progress)
        except NothingChangedError:
            write_stamp(done, "")
            raise
        finally:
            progress.close()
        write_stamp(done, core_digest())
        say(in_words("ready after {seconds} s", seconds=round(time.monotonic() - started)))


def run(words):
    """Becomes the command: `tools.check` for the word test, else `trottoir`. -P: the user's folder is not searched."""
    module = ["tools.check", *words[1:]] if words[:1] == ["test"] else ["tools.cli", *(words or ["--help"])]
    command = [str(PYTHON), "-P", "-m", *module]
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606  a list, no shell: this process becomes the command
    process = subprocess.Popen(command)
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C reaches the command too, which decides how to end
            return process.wait()


def locks_for(words):
    """What the words need; options may stand before a command, and help needs none of it."""
    if words[:1] == ["test"]:
        return TEST
    said = " ".join(words) if not any(word in ("--help", "-h") for word in words) else ""
    if any(command in said for command in WITH_PEERS):
        return BENCH
    return FLASH if any(command in said for command in AT_THE_BENCH) else RUN


def main(words, version=sys.version_info):
    """Sets up what is missing and runs the words; the exit code. Contract: section 1 and the codes in section 2."""
    try:
        check_python(version)
        locks = locks_for(words)
        if not is_ready(locks):
            prepare(locks)
        return run(words)
    except SetupError as error:
        say(error)
    except OSError as error:
        line = "the disk is full: free some space" if error.errno == errno.ENOSPC else "cannot set up {venv}: {error}"
        say(in_words(line, venv=VENV, error=error))
    except KeyboardInterrupt:
        say(in_words("interrupted"))
        return 130
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
