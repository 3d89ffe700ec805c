"""The image as it goes onto a board: compiled by mpy-cross, run by real MicroPython in a heap of a board's size."""

import shutil
from pathlib import Path

import pytest
from node_desk import START_MS, Desk, walk

import streetwire
from tests.real_parts import needs
from tools.board import compiled
from tools.board import image as full_image
from tools.street.node import FIRMWARE, NodeDied
from tools.street.wiring import DEFAULT_KIT

MINUTE_MS = 60_000
FREE_B = 11 * 4096  # at least; a node tells its free heap in steps of 4 KB, and a few bytes decide between two of them
SOURCES = sorted(path.relative_to(FIRMWARE) for path in FIRMWARE.rglob("*.py") if "__pycache__" not in path.parts)
STAY_SOURCE = {Path("main.py"), Path("boot.py")}  # MicroPython starts these two by name

pytestmark = [needs("micropython"), needs("pty")]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The firmware's tree with .mpy files instead of sources."""
    return compiled(full_image(DEFAULT_KIT, tmp_path_factory.mktemp("image") / "flash"))


@pytest.fixture
def sources(tmp_path):
    """A copy of the firmware that a test may change."""
    return Path(shutil.copytree(FIRMWARE, tmp_path / "firmware", ignore=shutil.ignore_patterns("__pycache__")))


def busy(minutes):
    """A passage every ten seconds."""
    return [report for t in range(5_000, minutes * MINUTE_MS, 10_000) for report in walk(t, 1 if t % 20_000 else -1)]


def test_every_file_becomes_bytecode_of_the_boards_version(image):
    compiled = sorted(path.relative_to(image).with_suffix(".py") for path in image.rglob("*.mpy"))
    assert compiled == [source for source in SOURCES if source not in STAY_SOURCE]
    assert {(image / source).with_suffix(".mpy").read_bytes()[:2] for source in compiled} == {b"M\x06"}
    # Every part; a node imports its own, the air only with a key, and what technicians need when one comes.
    assert sum(path.stat().st_size for path in image.rglob("*.mpy")) < 88_000


def test_the_compiled_node_counts_and_delivers(image, tmp_path):
    with Desk(tmp_path / "flash", image, walk(20_000) + walk(40_000) + walk(70_000, -1)) as desk:
        desk.run_until(3 * MINUTE_MS + 5000)
        hello = desk.messages(streetwire.Hello)[0]
        assert hello.node == 0xC30A01  # the end of its MAC address
        assert (hello.boot, hello.first_held, hello.next_seq) == (1, 0, 1)
        assert (hello.kit, hello.sensors, hello.platform) == ("pavement-radar", "radar,sht4x", "linux")
        timed = [r for r in desk.accepted.values() if r.bin_start]
        assert [(r.bin_start, r.d_ab, r.d_ba) for r in timed] == [
            (START_MS // 1000, 2, 0), (START_MS // 1000 + 60, 0, 1), (START_MS // 1000 + 120, 0, 0)
        ]  # fmt: skip
        assert [r.covered_s for r in timed] == [60, 60, 60]
        assert {r.temperature_centi for r in timed} == {2500}
        assert desk.free_heap()[-1] >= FREE_B


def test_the_sources_count_the_same_as_what_is_compiled_from_them(image, tmp_path):
    said = []
    for folder in (image, FIRMWARE):
        with Desk(tmp_path / f"flash-{len(said)}", folder, busy(2)) as desk:
            desk.run_until(2 * MINUTE_MS + 5000)
            said.append([(r.seq, r.bin_start, r.d_ab, r.d_ba, r.covered_s) for r in desk.accepted.values()])
    assert said[0] == said[1]
    assert len(said[0]) >= 2


def test_half_an_hour_of_people_leaves_the_heap_as_it_was(image, tmp_path):
    with Desk(tmp_path / "flash", image, busy(30)) as desk:
        desk.run_until(30 * MINUTE_MS)
        heap = desk.free_heap()
        assert len(heap) == 179  # ten seconds, twenty, ... of the time that it heard at once
        assert min(heap) >= FREE_B
        assert min(heap[-60:]) > min(heap[6:66]) - 512
        assert b"Error" not in desk.raw
        assert sum(r.d_ab + r.d_ba for r in desk.accepted.values()) >= 170


def test_a_backlog_of_hours_fits_the_heap(image, tmp_path):
    flash = tmp_path / "flash"
    with Desk(flash, image, busy(60), answers=False) as desk:
        desk.run_until(60 * MINUTE_MS)
    with Desk(flash, image) as desk:
        desk.run_until(MINUTE_MS)
        assert len([r for r in desk.accepted.values() if r.boot == 1]) == 60
        assert min(desk.free_heap()) >= FREE_B


def change(sources, name, old, new):
    part = sources / name
    text = part.read_text(encoding="utf-8")
    assert text.count(old) == 1
    part.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("blocks_ms", [9000, 25_000])
def test_a_beat_that_stands_still_for_ten_seconds_is_ended_by_the_watchdog(sources, tmp_path, blocks_ms):
    read = "    async def read(self, sleep_ms):\n"
    blocks = f"        import time\n\n        time.sleep_ms({blocks_ms})\n"
    change(sources, "node/sensors/base.py", read, read + blocks)
    with Desk(tmp_path / "flash", sources) as desk:
        if blocks_ms < 10_000:
            desk.run_until(MINUTE_MS)
        else:
            with pytest.raises(NodeDied):
                desk.run_until(MINUTE_MS)
            assert desk.exit_code() == 43


def test_a_climate_sensor_that_waits_for_ever_stops_no_counting(sources, tmp_path):
    tries = "        for _ in range(TRIES):\n"
    change(sources, "node/sensors/base.py", tries, "        while True:\n            await sleep_ms(1000)\n" + tries)
    with Desk(tmp_path / "flash", sources, walk(20_000)) as desk:
        desk.run_until(2 * MINUTE_MS + 1000)
        record = next(iter(desk.accepted.values()))
        assert (record.d_ab, record.n_climate) == (1, 0)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"near_mm": 700, "site": "x"}', "unknown key site"),
        (b'{"near_mm": "\xff\xfe"}', "not JSON"),
        (b"\x00\xff" * 3000, "not JSON"),
    ],
)
def test_no_node_json_stops_the_node(sources, tmp_path, content, complaint):
    (sources / "node.json").write_bytes(content)
    with Desk(tmp_path / "flash", sources, walk(5_000)) as desk:
        desk.run_until(MINUTE_MS + 1000)
        assert complaint in " ".join(line.text for line in desk.messages(streetwire.Log))
        assert sum(r.d_ab for r in desk.accepted.values()) == 1
