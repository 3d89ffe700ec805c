"""gateway.findings: what nodes tell by themselves is kept, bounded, and shown; nothing of it is in the books."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

import streetwire
from gateway import findings, view
from gateway.findings import Findings
from gateway.model import Told
from gateway.results import AIMS, TESTS
from tests.gateway.parts import INCARNATION, NAME, NODE, OTHER, T0, of_kind

GOOD, SILENT = streetwire.TEST_VERDICTS.index("good"), streetwire.TEST_VERDICTS.index("silent")


def said(*results, node=NODE) -> streetwire.TestResult:
    return streetwire.TestResult(node, INCARNATION, results)


def test_a_result_that_a_node_tells_by_itself_is_for_technicians_and_not_for_the_books(desk):
    before = desk.store.read("SELECT count(*) FROM facts")
    effects = desk.hear(said((0, SILENT, 0)), T0 + 30)
    assert of_kind(effects, Told) == [Told(NODE, T0 + 30, ((0, SILENT, 0),))]
    assert desk.store.read("SELECT count(*) FROM facts") == before


def test_of_a_node_that_is_not_introduced_nothing_is_kept(desk):
    assert of_kind(desk.hear(said((0, GOOD, 1), node=OTHER), T0 + 30), Told) == []


def test_the_newest_of_each_kind_is_written(tmp_path):
    found = Findings(tmp_path)
    found.put(Told(NODE, T0, ((0, SILENT, 0),)))
    found.put(Told(NODE, T0 + 1, ((0, GOOD, 10),)))
    found.put(Told(NODE, T0 + 2, ((11, GOOD, 5), (12, GOOD, 4))))
    found.write()
    assert findings.newest(tmp_path, NAME, TESTS) == {
        "time": T0 + 1, "by": "node", "ok": True, "checks": {"counter": {"verdict": "good", "value": 10}},
    }  # fmt: skip
    assert findings.newest(tmp_path, NAME, AIMS) == {"time": T0 + 2, "by": "node", "counted": {"ab": 5, "ba": 4}}
    assert len((tmp_path / "nodes" / f"{NAME}.tests.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_it_writes_by_itself_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(findings, "EVERY_S", 0.01)

    async def live() -> None:
        found = Findings(tmp_path)
        found.put(Told(NODE, T0, ((0, GOOD, 1),)))
        running = asyncio.create_task(found.run())
        async with asyncio.timeout(5):
            while findings.newest(tmp_path, NAME, TESTS) is None:
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(live())


def test_a_file_is_bounded_and_the_oldest_give_way(tmp_path):
    for number in range(findings.MOST + 5):
        findings.keep(tmp_path, NAME, TESTS, {"time": number})
    lines = (tmp_path / "nodes" / f"{NAME}.tests.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["time"] for line in lines] == list(range(5, findings.MOST + 5))


@pytest.mark.parametrize("text", ["", "half a li", "[]\n", '{"time": "x"}\n', "[" * 100_000])
def test_what_is_no_finding_is_none(tmp_path, text):
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / f"{NAME}.tests.jsonl").write_text(text, encoding="utf-8")
    assert findings.newest(tmp_path, NAME, TESTS) is None
    findings.keep(tmp_path, NAME, TESTS, {"time": 1})
    assert findings.newest(tmp_path, NAME, TESTS) == {"time": 1}


def test_a_disk_that_does_not_take_it_ends_nothing(tmp_path):
    (tmp_path / "nodes").write_text("no folder", encoding="utf-8")
    found = Findings(tmp_path)
    found.put(Told(NODE, T0, ((0, GOOD, 1),)))
    found.write()


def test_the_page_is_told_the_newest_of_both():
    assert view._test({"time": 7, "checks": {"counter": {"verdict": "silent"}, "clock": {"verdict": "good"}}}) == {
        "at_s": 7, "failed": ["counter"],
    }  # fmt: skip
    assert view._test({"time": 7, "checks": 3}) == {"at_s": 7, "failed": []}
    assert view._aim({"time": 7, "counted": {"ab": 4, "ba": 5}}) == {"at_s": 7, "counted": 9, "walked": None}
    walked = {"time": 7, "counted": {"ab": 4, "ba": 5}, "walked": {"ab": 5, "ba": 5}}
    assert view._aim(walked) == {"at_s": 7, "counted": 9, "walked": 10}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make what is another user's")
def test_what_root_finds_out_belongs_to_the_gateway(tmp_path):
    os.chown(tmp_path, 12, 34)
    findings.keep(tmp_path, NAME, TESTS, {"time": 1})
    for path in (tmp_path / "nodes", tmp_path / "nodes" / f"{NAME}.tests.jsonl"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12, 34)
