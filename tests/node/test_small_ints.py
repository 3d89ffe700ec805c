"""Everything that runs for every sample stays within an ESP32's small ints, whatever arrives, and knows no float."""

import ast

import pytest
from small_ints import FIRMWARE, Guard, NotSmall

HOT = ("node.passage.", "node.counters.", "node.watch", "node.sensors.ld2450", "node.sensors.tfluna", "node.sensors.vl53l1x",
       "node.sensors.pir", "node.links.ble", "node.ccm")  # fmt: skip
# Run once a set-up, and go beyond: what they compute is collected with the rest of the start.
SET_UP = ("macro_period", "macro_periods")
SUITES = ("test_bad_radar", "test_bad_lidar", "test_bad_doors_and_switches", "test_passage_laws", "test_counters", "test_tfluna",
          "test_ld2450", "test_vl53l1x", "test_pir", "test_line_crossing", "test_lidar_pair", "test_run_pairs", "test_tof",
          "test_pir_pair", "test_idle_range", "test_watch", "test_ble_link", "test_ccm")  # fmt: skip


@pytest.mark.parametrize("name", SUITES)
def test_no_number_of_the_hot_path_needs_more_than_31_bits(name):
    guard = Guard(HOT, SET_UP)
    with guard.loaded(name) as suite:
        for test in [value for key, value in vars(suite).items() if key.startswith("test_")]:
            test()
    assert guard.numbers > 300


@pytest.mark.parametrize(("body", "value"), [("1 << 30", None), ("-(1 << 29) * 2", -(1 << 30)), ("7 / 2", None), ("7 + 2", 9)])
def test_the_guard_sees_what_does_not_fit(tmp_path, monkeypatch, body, value):
    monkeypatch.setattr("small_ints.FIRMWARE", tmp_path)
    (tmp_path / "probe_of_guard.py").write_text(f"def run():\n    total = 0\n    total += {body}\n    return total\n")
    guard = Guard(("probe_of_guard",))
    with guard.loaded("probe_of_guard") as probe:
        if value is None:
            with pytest.raises(NotSmall):
                probe.run()
        else:
            assert probe.run() == value


def floats_in(path):
    """[(line, what), ...] of float literals, true division, float() and math."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield node.lineno, repr(node.value)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node.lineno, "/"
        elif isinstance(node, ast.Name) and node.id in ("float", "math", "cmath", "round"):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "time.sleep", "asyncio.sleep"):  # seconds
            yield node.lineno, node.attr


# Floats that have a reason, as (file, what): none so far.
ALLOWED = ()


def test_the_node_knows_no_float():
    sources = [FIRMWARE / "main.py", FIRMWARE / "boot.py", *FIRMWARE.glob("node/**/*.py")]
    found = [(path.name, what, line) for path in sources for line, what in floats_in(path)]
    assert [float_ for float_ in found if float_[:2] not in ALLOWED] == []


@pytest.mark.parametrize("line", ["x = 0.5", "x = a / b", "x /= b", "x = float(a)", "x = math.sqrt(a)", "time.sleep(n)"])
def test_every_kind_of_float_is_found(tmp_path, line):
    source = tmp_path / "probe.py"
    source.write_text(line)
    assert len(list(floats_in(source))) == 1
