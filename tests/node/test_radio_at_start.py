"""The firmware as main.py composes it: the radio where there is a key and where it starts, the cable in any case."""

import subprocess

from tests.real_parts import needs
from tools import micropython
from tools.board import image
from tools.street.node import HEAP, SHIMS

CYCLES = SHIMS / "cycles"
BROKEN = """
import bluetooth

def active(self, active):
    raise OSError(12)

bluetooth.BLE.active = active
"""


def run(folder, before="", words=()):
    """What 700 beats of the firmware print, and how many radios are in use."""
    firmware = image("school-pir", folder / "image")
    script = folder / "beats.py"
    told = "print('radios', len(cycles.desk.radios), 'bluetooth' in sys.modules)"
    script.write_text(f"{before}\nimport sys\nimport cycles\n{told}\n")
    command = [str(micropython.find()), "-X", f"heapsize={HEAP}", str(script), "700", "700", *words]
    environment = {"MICROPYPATH": f"{CYCLES}:{firmware}:.frozen"}
    done = subprocess.run(command, cwd=firmware, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs("micropython")
def test_without_a_key_the_radio_is_not_even_loaded(tmp_path):
    assert "radios 0 False" in run(tmp_path)


@needs("micropython")
def test_with_a_key_it_is_on(tmp_path):
    assert "radios 1 True" in run(tmp_path, words=["air"])


@needs("micropython")
def test_a_radio_that_does_not_start_stops_no_counting(tmp_path):
    told = run(tmp_path, BROKEN, ["air"])
    assert "radios 0 True" in told
    assert int(told.split("heap 700 ")[1].split()[3]) > 5  # passages
