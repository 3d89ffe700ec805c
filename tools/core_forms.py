"""The counting core in both its forms, side by side in one process: as its source stands, and compiled from that source."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from types import ModuleType

from tools import compile_core

FORMS = ("pure", "compiled")


@cache
def core(form: str) -> ModuleType:
    """gateway.window in this form, made of the other files of the core in the same form."""
    if form == "compiled":
        if not compile_core.is_stale(compile_core.ROOT):
            usual = importlib.import_module("gateway.window")
            if usual.COMPILED:
                return usual  # what is compiled may be loaded once in a process
        return compiled_from(compile_core.elsewhere())
    return _load(SourceFileLoader, {name: compile_core.ROOT / "gateway" / f"{name}.py" for name in compile_core.MODULES})


def compiled_folder() -> Path:
    """Where the compiled form of today's sources lies: the checkout, or else a folder for this process."""
    return compile_core.elsewhere() if compile_core.is_stale(compile_core.ROOT) else compile_core.ROOT


def compiled_from(folder: Path) -> ModuleType:
    """gateway.window as it lies compiled there, in a process that has not loaded it yet."""
    return _load(ExtensionFileLoader, {name: compile_core.compiled_file(folder, name) for name in compile_core.MODULES})


def _load(loader: type[SourceFileLoader | ExtensionFileLoader], files: dict[str, Path]) -> ModuleType:
    with _set_aside([f"gateway.{name}" for name in files]):
        for short, path in files.items():
            name = f"gateway.{short}"
            spec = importlib.util.spec_from_file_location(name, path, loader=loader(name, str(path)))
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules["gateway.window"]


@contextmanager
def _set_aside(names: list[str]) -> Iterator[None]:
    """Who imports one of these meanwhile gets another module, and afterwards the usual one again."""
    usual = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(usual)
