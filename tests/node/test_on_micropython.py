"""The dual tests of this folder again, under the node's own interpreter and in a heap of its size."""

import ast
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.real_parts import needs
from tools import board, micropython

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parent.parent / "firmware"
CPYTHON_ONLY = {"app_bench", "pytest", "hypothesis", "pathlib", "subprocess", "selectors"}


def imports_of(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def defined_in(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return sorted(node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


DUAL = [path for path in sorted(HERE.glob("test_*.py")) if not imports_of(path) & CPYTHON_ONLY]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The firmware as bytecode, as a board has it; beside its sources' compiler hardly any heap would be left."""
    folder = tmp_path_factory.mktemp("dual") / "image"
    shutil.copytree(FIRMWARE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    return board.compiled(folder, keeps_names=True)


def run(name, folder, firmware):
    # `firmware` is the image, and what a test writes goes beside it.
    environment = {"MICROPYPATH": f"{HERE}:{folder}:{firmware}:.frozen", "PATH": os.environ.get("PATH", "")}
    command = [micropython.find(), "-X", "heapsize=110wK", str(HERE / "run_dual.py"), name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=firmware.parent)


def test_every_room_of_the_node_has_a_dual_test():
    tested = {name for path in DUAL for name in imports_of(path)}
    rooms = {"log", "minutes", "clock", "sender", "config", "watch", "panel", "lamp", "button", "supply"}
    rooms |= {"technician", "self_test", "upkeep", "update", "vault", "session", "ccm", "links.ble", "links.cable_and_air"}
    rooms |= {"counters." + name for name in ("radar", "lidar", "door", "switches")}
    rooms |= {"passage." + name for name in ("radar", "idle", "run_pairs", "lidar_pair", "pir_pair", "tof")}
    rooms |= {"sensors." + name for name in ("ld2450", "tfluna", "vl53l1x", "pir", "plausible")}
    rooms |= {"sensors." + name for name in ("sht3x", "sht4x", "dht22", "bme280", "ds18b20")}
    assert {"streetwire", "slots"} | {f"node.{room}" for room in rooms} <= tested


@needs("micropython")
@pytest.mark.parametrize("path", DUAL, ids=lambda path: path.stem)
def test_passes_on_micropython(path, image):
    result = run(path.stem, HERE, image)
    assert result.returncode == 0, result.stdout + result.stderr
    assert sorted(result.stdout.split()) == defined_in(path)


@needs("micropython")
def test_a_failing_dual_test_is_seen(tmp_path, image):
    (tmp_path / "test_broken.py").write_text("def test_good():\n    pass\n\n\ndef test_wrong():\n    assert 1 == 2\n")
    result = run("test_broken", tmp_path, image)
    assert result.returncode != 0
    assert "AssertionError" in result.stdout + result.stderr
