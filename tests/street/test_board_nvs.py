"""The board's NVS on a file: what was committed is there at the next start, and nothing else is."""

import subprocess
import sys

import pytest

from node.vault import BLOCK, COUNTER, KEY
from tests.real_parts import needs
from tools import micropython
from tools.street.node import FIRMWARE, SHIMS

PATHS = [str(SHIMS / "board"), str(FIRMWARE)]
START = """
import esp32
from node.vault import Vault
vault = Vault(esp32.NVS("trottoir"))
print(vault.key, vault.take_counter(), vault.take_counter())
"""
HALF = """
import esp32
nvs = esp32.NVS("trottoir")
nvs.set_blob("counter", bytes(4))
"""


@pytest.fixture(params=[pytest.param("micropython", marks=needs("micropython")), "cpython"])
def started(request):
    """`started(path, code)` -> what a board with this NVS prints."""

    def start(path, code=START):
        interpreter = micropython.find() if request.param == "micropython" else sys.executable
        variable, paths = ("MICROPYPATH", [*PATHS, ".frozen"]) if request.param == "micropython" else ("PYTHONPATH", PATHS)
        environment = {variable: ":".join(paths), **({"STREET_NVS": str(path)} if path else {})}
        done = subprocess.run([interpreter, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return start


def test_a_board_without_a_key_has_none(started, tmp_path):
    assert started(None) == "None None None"
    assert started(tmp_path / "nvs").startswith("None ")


def test_numbers_go_on_from_start_to_start_and_only_what_is_committed_stays(started, tmp_path):
    path = tmp_path / "nvs"
    key = bytes(range(16))
    path.write_text(f"{KEY} {key.hex()}\n{COUNTER} {bytes(4).hex()}\n")
    assert started(path) == f"{key} 0 1"
    started(path, HALF)
    assert started(path) == f"{key} {BLOCK} {BLOCK + 1}"
