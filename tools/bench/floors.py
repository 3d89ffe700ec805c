"""Compiles floor.pyx as the core is compiled, once a process, into a folder of its own."""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

import gateway.window  # noqa: F401  what lies compiled beside the sources is taken then, and not made anew
from gateway.words import Say
from tools.compile_core import SUFFIX
from tools.core_forms import core

SOURCE = Path(__file__).with_name("floor.pyx")
BUILD = """
from setuptools import Extension, setup
setup(name="floor", ext_modules=[Extension("floor", ["floor.pyx"], extra_compile_args=["-O2"])])
"""


@cache
def floor() -> ModuleType:
    """floor.pyx, compiled. OSError without a C compiler, Cython or setuptools: what the tools said."""
    folder = Path(tempfile.mkdtemp(prefix="floor"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copy(SOURCE, folder)
    command = [sys.executable, "-c", BUILD, "--quiet", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    made = folder / f"floor{SUFFIX}"
    if not made.exists():
        raise OSError(done.stdout + done.stderr)
    spec = importlib.util.spec_from_file_location("floor", made)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lack_of_compiler() -> Say | None:
    """Why there is no compiled core or no floor, where there is none."""
    try:
        core("compiled")
        floor()
    except OSError:
        return Say("bench.no-compiler")
    return None
