"""The whole path at once: simulated street, real nodes, real gateway process, real server, every fault of the calendar."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import urllib3

from gateway.words import Say
from node.sensors.table import PARTS
from tests.real_parts import needs
from tools.demo_command import Wishes, make_plan
from tools.street import demo, judging, server
from tools.street.demo import Plan

ROOT = Path(__file__).resolve().parent.parent.parent
HOUR_MS = 3_600_000
COUNTS = ("truth", "counted", "stored", "lost", "duplicated", "flagged", "points", "rolling")

pytestmark = needs("pty")


@pytest.fixture(scope="module", autouse=True)
def folder_of_demos(tmp_path_factory):
    """A run whose sensor errs too much keeps its folder: not in the machine's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo.tempfile, "tempdir", str(tmp_path_factory.mktemp("demos")))
        yield


class Onlooker:
    """Remembers what it was told, and where the street stood every minute."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.standings: list[demo.Standing] = []
        self.kept: list[Path] = []

    def tell(self, at_ms: int, what: Say) -> None:
        self.told.append(what.line())

    def progress(self, now_ms: int, look) -> None:
        if now_ms % (10 * 60_000) == 0:
            self.standings.append(look())

    def keep(self, folder: Path) -> None:
        self.kept.append(folder)


def an_hour(interpreter: str, seed: int = 7) -> tuple[dict, Onlooker]:
    onlooker = Onlooker()
    plan = Plan(seed=seed, duration_ms=HOUR_MS, outage_ms=(HOUR_MS * 2 // 5, HOUR_MS * 13 // 20), interpreter=interpreter)
    return demo.run(plan, onlooker), onlooker


@pytest.fixture(scope="module")
def micropython_hour():
    return an_hour("micropython")


@needs("micropython")
@needs("influxd")
def test_every_fault_happens_and_the_books_close(micropython_hour):
    result, onlooker = micropython_hour
    assert result["ok"], result
    assert len(onlooker.told) == 9 + 4  # four nodes are put up later
    assert not onlooker.kept
    assert result["interpreter"] == "micropython"
    assert result["server"] == "influxd 1.6.7"
    assert (result["lost"], result["duplicated"], result["flagged"]) == (0, 0, 0)
    assert result["stored"] == result["counted"]
    assert sum(result["truth"].values()) > 250
    assert abs(result["error"]) <= result["error_floor"]
    assert result["dead_letters"] == 1
    assert result["points"] > result["rolling"] > (2 * 60 + 2 * 30) * 3  # three windows a minute of two nodes, two for half of it
    assert result["outage_s"] == 900


@needs("micropython")
def test_every_part_that_a_node_can_carry_has_its_say(micropython_hour):
    result = micropython_hour[0]
    assert result["parts"] == sorted(PARTS)
    assert set(result["by_sensor"]) == {row[2] for row in PARTS.values() if row[1] == "passages"}
    for name in ("truth", "counted", "stored"):
        total = {way: sum(of[name][way] for of in result["by_sensor"].values()) for way in ("ab", "ba")}
        assert total == result[name]
    assert all(sum(of["stored"].values()) > 10 for of in result["by_sensor"].values())
    assert {kind: of["error_floor"] is None for kind, of in result["kinds"].items()} == {
        "pavement": False, "door": False, "index": True,
    }  # fmt: skip


def test_a_short_time_count_begins_late_and_leaves_no_gap_before(micropython_hour):
    result, onlooker = micropython_hour
    put_up = [line for line in onlooker.told if "short-time count" in line]
    assert len(put_up) == 2
    lidar = [standing.rows[1] for standing in onlooker.standings]
    assert [row.passed > 0 for row in lidar][:3] == [False] * 3
    assert lidar[-1].accepted > 0
    assert result["flagged"] == 0


def test_whoever_looks_on_sees_where_every_street_stands(micropython_hour):
    standings = micropython_hour[1].standings
    for earlier, later in pairwise(standings):
        for a, b in zip(earlier.rows, later.rows, strict=True):
            assert (a.passed, a.counted, a.accepted) <= (b.passed, b.counted, b.accepted)
            assert b.accepted <= b.counted
    last = standings[-1]
    assert sum(row.passed for row in last.rows) == sum(micropython_hour[0]["truth"].values())
    assert max(standing.waiting for standing in standings) > last.waiting


@needs("micropython")
def test_the_same_seed_is_the_same_run_to_the_millisecond_and_another_is_not(micropython_hour):
    again, _ = an_hour("micropython")
    other, _ = an_hour("micropython", seed=8)
    assert [again[key] for key in (*COUNTS, "run")] == [micropython_hour[0][key] for key in (*COUNTS, "run")]
    assert other["truth"] != again["truth"]
    assert other["run"] != again["run"]


@needs("micropython")
def test_both_interpreters_count_the_same(micropython_hour):
    result, _ = an_hour("cpython")
    assert result["interpreter"] == "cpython"
    same = [key for key in COUNTS if key != "points"]  # over the air a minute more or less goes by until all has arrived
    assert [result[key] for key in same] == [micropython_hour[0][key] for key in same]


def test_without_influxd_the_points_go_into_files(monkeypatch):
    monkeypatch.setattr(server.influxd, "find", lambda: None)
    result, _ = an_hour("auto")
    assert result["ok"], result
    assert result["server"] == "file"
    assert result["stored"] == result["counted"]
    assert result["dead_letters"] == 0


def test_json_is_one_document_and_messages_stay_off_stdout(tmp_path):
    command = [sys.executable, "-m", "tools.cli", "demo", "--duration", "10m", "--nodes", "1", "--json", "--no-stay"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment)
    result = json.loads(ended.stdout)
    assert ended.returncode == (0 if result["ok"] else 1)
    wanted = {*COUNTS, "server", "points", "outage_s", "interpreter", "core", "seed", "simulated_s", "wall_s"}
    assert wanted <= set(result)
    assert result["simulated_s"] == 600
    assert "the gateway is killed" in ended.stderr


def test_a_detector_that_misses_too_many_fails_the_run(monkeypatch, tmp_path):
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setitem(judging.FLOORS, "pavement", ((1e9, -1.0),))  # not even the truth is right enough
    onlooker = Onlooker()
    plan = Plan(seed=2, nodes=1, duration_ms=HOUR_MS // 3)  # chance lets seed 7 err by nobody
    result = demo.run(plan, onlooker)
    assert not result["ok"]
    assert any("against the truth" in complaint.line() for complaint in result["complaints"])
    assert (onlooker.kept[0] / "gateway.log").exists()


def test_a_disk_that_takes_no_more_is_one_line_and_exit_3_and_nothing_is_left_running(tmp_path):
    import resource  # not on Windows, where this file is skipped

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tools.cli", "demo", "--duration", "10m"]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment, preexec_fn=small_files_only
    )
    assert ended.returncode == 3
    assert ended.stderr.strip().splitlines()[-1] == "trottoir demo: File too large"
    assert eventually(lambda: str(tmp_path) not in all_processes())


@needs("influxd")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_it_is_stopped_nothing_is_left_running(tmp_path, sign):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tools.cli", "demo", "--duration", "2h"]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
    assert running.stderr is not None
    assert "live page" in running.stderr.readline()
    assert "a bad cable" in running.stderr.readline()
    running.send_signal(sign)
    rest = running.stderr.read()
    assert running.wait(30) == (130 if sign != signal.SIGKILL else -signal.SIGKILL)
    if sign != signal.SIGKILL:
        assert rest.strip().splitlines()[-1] == "stopped"
        assert "Traceback" not in rest
        assert not list(tmp_path.glob("trottoir-demo-*"))
    assert eventually(lambda: str(tmp_path) not in all_processes())


def all_processes() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def eventually(is_true) -> bool:
    """Within five real seconds: the end of other processes is not ours to clock."""
    for _ in range(100):
        if is_true():
            return True
        threading.Event().wait(0.05)
    return False


@pytest.mark.parametrize(
    ("duration", "outage", "start_s", "away"),
    [
        ("6h", None, 36_000, (8_640_000, 11_040_000)),
        ("24h", None, 0, (34_560_000, 36_960_000)),
        ("24h", "12:00-12:40", 0, (43_200_000, 45_600_000)),
        ("6h", "10:00-16:00", 36_000, (0, 21_600_000)),
    ],
)
def test_the_plan_follows_the_words(duration, outage, start_s, away):
    plan = make_plan(Wishes(duration=duration, outage=outage))
    assert (plan.start_s, plan.outage_ms) == (start_s, away)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--duration", "6"], "--duration"),
        (["--duration", "1m"], "10m to 7d"),
        (["--duration", "99999999999999999999h"], "--duration"),
        (["--seed", "1.5"], "--seed"),
        (["--nodes", "0"], "1 to 8"),
        (["--outage", "12"], "HH:MM-HH:MM"),
        (["--outage", "08:00-08:30"], "10:00 to 16:00"),
        (["--outage", "12:30-12:00"], "10:00 to 16:00"),
        (["--interpreter", "pypy"], "micropython"),
    ],
)
def test_words_that_make_no_street_are_one_line_and_exit_2(words, says):
    command = [sys.executable, "-m", "tools.cli", "demo", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


@needs("micropython")
def test_whoever_looks_at_the_page_changes_nothing_that_is_counted():
    port = server.influxd.free_port()
    plan = Plan(seed=11, duration_ms=HOUR_MS // 3, outage_ms=(HOUR_MS // 8, HOUR_MS // 5))
    alone = demo.run(plan, Onlooker())
    is_over = threading.Event()
    seen = []

    def look() -> None:
        pool = urllib3.PoolManager(retries=False, timeout=2)
        while not is_over.is_set():
            try:
                seen.append(pool.request("GET", f"http://127.0.0.1:{port}/state").status)
            except urllib3.exceptions.HTTPError:
                is_over.wait(0.02)

    viewers = [threading.Thread(target=look) for _ in range(3)]
    for viewer in viewers:
        viewer.start()
    watched = demo.run(replace(plan, port=port), Onlooker())
    is_over.set()
    for viewer in viewers:
        viewer.join()
    assert seen.count(200) > 10
    assert [watched[key] for key in (*COUNTS, "run")] == [alone[key] for key in (*COUNTS, "run")]


def test_a_demo_that_stays_says_the_same_as_one_that_does_not():
    plan = Plan(nodes=1, duration_ms=HOUR_MS // 3)
    stayed: list[str] = []
    result = demo.run(replace(plan, stays=True), Onlooker(), lambda _result, where: stayed.append(where))
    ended = demo.run(plan, Onlooker())
    assert [result[key] for key in (*COUNTS, "run")] == [ended[key] for key in (*COUNTS, "run")]
    assert len(stayed) == 1
