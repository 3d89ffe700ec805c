"""An update whose power is cut at every write and erase of the flash, on MicroPython's own littlefs: see slots_torture.py."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.real_parts import needs
from tools import board, micropython

HERE = Path(__file__).resolve().parent
pytestmark = needs("micropython")

WITHOUT_A_RULE = {  # file, what stands there, and what stands there without the rule
    "whole_before_the_switch": (
        "node/upkeep.py", "if self._update is not None and self._update.is_ready:", "if self._update is not None:",
    ),
    "no_spare_while_it_is_written_to": ("slots.py", '            self._write({"slot": self.slot})\n', "            pass\n"),
    "hashes": ("node/update.py", "for byte in self._hash.digest()]) != self._digest:", "for byte in b'']) == self._digest:"),
    "a_trial_that_ends": ("node/upkeep.py", "                self._slots.confirm()\n", "                pass\n"),
}  # fmt: skip


def tortured(folder, first, step, change=None):
    image = folder / "image"
    shutil.copytree(board.FIRMWARE, image, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    if change is not None:
        name, old, new = change
        text = (image / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (image / name).write_text(text.replace(old, new), encoding="utf-8")
    board.compiled(image, keeps_names=True)
    environment = {"MICROPYPATH": f"{HERE}:{image}:.frozen", "PATH": os.environ.get("PATH", "")}
    command = [micropython.find(), "-X", "heapsize=2000wK", str(HERE / "slots_torture.py"), str(first), str(step)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=folder)


def test_wherever_the_power_is_cut_whole_and_signed_firmware_starts_and_the_update_ends(tmp_path):
    done = tortured(tmp_path, 0, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    cuts, old, new = map(int, done.stdout.splitlines()[-1].split())  # above it may stand what closing a dead file met
    assert cuts == old + new
    assert old > 20
    assert new > 4


@pytest.mark.parametrize("rule", sorted(WITHOUT_A_RULE))
def test_a_rule_that_is_gone_is_noticed(tmp_path, rule):
    assert tortured(tmp_path, 0, 1, WITHOUT_A_RULE[rule]).returncode != 0
