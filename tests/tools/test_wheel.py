"""The wheel installs the same command and carries the firmware."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.real_parts import needs
from tools import compile_core
from tools.board import kits

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    source = tmp_path_factory.mktemp("source") / "trottoir"
    for name in ("firmware", "gateway", "hardware", "tools"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return next(out.glob("*.whl"))


def test_it_holds_every_source_file_once(wheel):
    inside = zipfile.ZipFile(wheel).namelist()
    for room, prefix in (("gateway", "gateway"), ("tools", "tools"), ("firmware", "trottoir_firmware")):
        for path in (ROOT / room).rglob("*.py"):
            assert f"{prefix}/{path.relative_to(ROOT / room).as_posix()}" in inside
    assert "streetwire.py" in inside
    assert "gateway/schema.toml" in inside
    assert not [name for name in inside if name.startswith(("tests/", "node/", "main.py"))]


def test_it_brings_what_hangs_on_every_kits_board(wheel):
    assert {f"trottoir_hardware/{kit}/pins.json" for kit in kits()} <= set(zipfile.ZipFile(wheel).namelist())


def test_it_brings_the_core_as_source_and_compiled_where_there_is_a_compiler(wheel):
    inside = zipfile.ZipFile(wheel).namelist()
    assert {"gateway/window.py", "gateway/native.pxd"} <= set(inside)
    compiled = {f"gateway/{name}{compile_core.SUFFIX}" for name in compile_core.MODULES}
    assert compiled & set(inside) == (compiled if compile_core.is_possible() else set())


def test_it_names_the_command(wheel):
    archive = zipfile.ZipFile(wheel)
    entry = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "trottoir = tools.start:main" in archive.read(entry).decode()


@needs("pty")
def test_the_demo_runs_from_what_the_wheel_holds(wheel, tmp_path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tools.cli", "demo", "--duration", "20m", "--json"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.stdout, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["lost"], result["duplicated"]) == (0, 0)
    assert sum(result["stored"].values()) > 50
