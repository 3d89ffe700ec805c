"""The closing line of tools/check.py, real parts, and that the firmware's types are those of the node's interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import check

ROOT = Path(__file__).resolve().parents[2]
STUBS = ROOT / ".venv" / "stubs"
SAMPLE = """
import pytest
from tests.real_parts import needs
@needs("influxd")
@pytest.mark.parametrize("n", [1, 2])
def test_real(n): pass
def test_other(): pass
def test_wrong(): assert 0
@pytest.fixture
def broken(): raise OSError
def test_broken(broken): pass
"""
GOOD = """
import asyncio, esp32, time
from machine import I2C, UART, Pin
async def read():
    uart = UART(1, 256000, tx=17, rx=16, rxbuf=1024)
    bus = I2C(0, scl=Pin(22), sda=Pin(21), freq=400000)
    await asyncio.sleep_ms(10)
    esp32.Partition("nvs").info()
    return uart.read(), bus.scan(), time.ticks_diff(time.ticks_ms(), 0)
"""
WRONG = [
    'machine.Pin("x", nonsense=1)',
    "machine.UART(1, 256000).readln()",
    'machine.I2C(0).readfrom_mem("a", 0, 6)',
    "esp32.Partition.NOWHERE",
    "asyncio.sleep_millis(1)",
    "time.monotonic()",
    "import tomllib",
]


def run_pytest(folder: Path, **settings: str) -> tuple[int, Path, str]:
    """The sample instead of our tests, on a machine without influxd."""
    (folder / "test_sample.py").write_text(SAMPLE)
    report = folder / "report.xml"
    done = subprocess.run(
        [*check.PYTEST, "-p", "no:cacheprovider", f"--junit-xml={report}", str(folder)],
        cwd=ROOT,
        env={"PATH": str(folder), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **settings},
        capture_output=True,
        text=True,
    )
    return done.returncode, report, done.stdout


def test_a_missing_real_part_skips_and_says_how_to_add_it(tmp_path):
    code, report, out = run_pytest(tmp_path)
    assert check.tally_of(report, code) == check.Tally(passed=1, failed=2, skipped=2)
    assert "sudo apt install influxdb" in out


def test_a_missing_real_part_fails_where_it_is_required(tmp_path):
    code, report, _ = run_pytest(tmp_path, TROTTOIR_REQUIRE_REAL="1")
    assert check.tally_of(report, code) == check.Tally(passed=1, failed=4)


def test_an_end_without_a_report_is_a_failure(tmp_path):
    assert check.tally_of(tmp_path / "none.xml", code=4) == check.Tally(failed=1)


@pytest.mark.parametrize("broken", [None, "style", "tests", "part"])
def test_the_last_line_counts_every_step_and_decides_the_exit_code(broken, monkeypatch, capfd):
    ends = {heading: [sys.executable, "-c", f"raise SystemExit({int(heading == broken)})"] for heading in check.STEPS}
    monkeypatch.setattr(check, "STEPS", ends)
    monkeypatch.setattr(check, "run_tests", lambda words: check.Tally(7, int(broken == "tests"), 1))
    monkeypatch.setattr(check, "check_parts", lambda: check.Tally(failed=int(broken == "part")))
    assert check.main([]) == int(broken is not None)
    passed = 7 + len(ends) - (broken == "style")
    assert capfd.readouterr().out.splitlines()[-1] == f"{passed} passed, {int(broken is not None)} failed, 1 skipped"


@pytest.mark.skipif(not STUBS.exists(), reason="MicroPython's types come with: python3 tools/go.py test")
def test_a_wrong_call_on_the_node_is_found_and_a_right_one_is_not(tmp_path):
    settings = json.loads((ROOT / "tools" / "typecheck" / "node.json").read_text())
    settings |= {"include": ["."], "extraPaths": [], "typeshedPath": str(STUBS), "stubPath": str(STUBS)}
    (tmp_path / "node.json").write_text(json.dumps(settings))
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "wrong.py").write_text("\n".join(["import asyncio, esp32, machine, time", *WRONG]))
    command = [*check.STEPS["types of the firmware"][:-1], str(tmp_path / "node.json"), "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert {Path(fault["file"]).name for fault in found} == {"wrong.py"}
    lines = {fault["range"]["start"]["line"] for fault in found if fault["severity"] == "error"}
    assert lines == set(range(1, len(WRONG) + 1)), found
