"""Compiles the counting core beside its sources: `python -m tools.compile_core`.

The sources run as they stand, with the same answers; compiled they are some twenty times as fast. It takes a C compiler,
Cython and setuptools, and nothing is lost where these are missing. Python prefers the compiled file to the source beside
it, so one that is older than its source must not stay: here it is made anew or taken away.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ("cells", "rolling", "bands", "changes", "panes", "batches", "window")  # each may import those before it
SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))
BUILD = "from setuptools import setup; setup()"


def sources(root: Path, name: str) -> list[Path]:
    """What a module is compiled from."""
    return [root / "gateway" / file for file in (f"{name}.py", f"{name}.pxd", "native.pxd")]


def compiled_file(root: Path, name: str) -> Path:
    """Where a module lies compiled for this Python, if it does."""
    return root / "gateway" / f"{name}{SUFFIX}"


def is_stale(root: Path) -> bool:
    """Whether a module is not compiled, or its source is younger."""
    return any(_is_older(compiled_file(root, name), sources(root, name)) for name in MODULES)


def _is_older(made: Path, origins: list[Path]) -> bool:
    return not made.exists() or any(origin.stat().st_mtime_ns > made.stat().st_mtime_ns for origin in origins)


def compile_into(folder: Path) -> str:
    """Compiles all modules into `folder`/gateway, or none; what the tools said if it was none."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "core")
        (copy / "gateway").mkdir(parents=True)
        shutil.copy(ROOT / "pyproject.toml", copy)
        for path in [ROOT / "gateway" / "__init__.py", *(path for name in MODULES for path in sources(ROOT, name))]:
            shutil.copy(path, copy / "gateway")
        command = [sys.executable, "-c", BUILD, "--quiet", "build_ext", "--inplace", "--parallel", "4"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        made = [compiled_file(copy, name) for name in MODULES]
        if not all(path.exists() for path in made):
            return done.stdout + done.stderr
        (folder / "gateway").mkdir(parents=True, exist_ok=True)
        for path in made:
            shutil.copy(path, folder / "gateway")
    return ""


@cache
def elsewhere() -> Path:
    """A folder like the checkout with the modules compiled from today's sources, for this process."""
    folder = Path(tempfile.mkdtemp(prefix="core"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    trouble = compile_into(folder)
    if trouble:
        raise OSError(trouble)
    return folder


def is_checkout() -> bool:
    """Whether these are the sources themselves; an installed wheel brings compiled what it could."""
    return (ROOT / "pyproject.toml").exists()


def is_possible() -> bool:
    """Whether this is a checkout, on a machine with a C compiler."""
    named = str(sysconfig.get_config_var("CC") or "cl").split()[0]
    return is_checkout() and shutil.which(named) is not None


def renew() -> None:
    """Afterwards what lies compiled beside the sources is of these sources. OSError: nothing lies there, and why."""
    if not is_stale(ROOT):
        return
    for name in MODULES:
        compiled_file(ROOT, name).unlink(missing_ok=True)
    trouble = compile_into(ROOT)
    if trouble:
        raise OSError(trouble)


def main() -> int:
    """0 if the core is compiled afterwards; else the sources run, and the exit code is 1."""
    try:
        renew()
    except OSError as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
