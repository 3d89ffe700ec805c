"""tools.torture_store: a store that a disk has damaged starts, keeps what is whole and tells nothing false."""

from __future__ import annotations

import json
import random

from gateway import rebuild
from tools import torture_store

CASES = 500


def test_damaged_stores_start_keep_what_is_whole_and_tell_nothing_false(capsys):
    assert torture_store.main(["--cases", str(CASES)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["cases"], told["failed"]) == (CASES, 0)
    assert min(told["damages"].values()) > CASES // 12


def test_a_healing_that_forgets_the_log_is_found_out(tmp_path, monkeypatch):
    sample, folder = torture_store.Sample(tmp_path), tmp_path / "case"
    folder.mkdir()
    monkeypatch.setattr(rebuild, "log_pages", lambda _log: iter(()))
    assert any(torture_store.play(sample, folder, random.Random(case))[1] for case in range(60))


def test_a_row_with_a_value_that_it_never_had_is_found_out(tmp_path, monkeypatch):
    sample, folder = torture_store.Sample(tmp_path), tmp_path / "case"
    folder.mkdir()
    monkeypatch.setattr(torture_store, "_read", lambda _store: {("bins", "x"): (1,)})
    _, complaints = torture_store.play(sample, folder, random.Random(1))
    assert complaints[0].startswith("false: ")


def test_everything_is_expected_of_a_store_that_nobody_touched(tmp_path):
    sample = torture_store.Sample(tmp_path)
    expected = set(sample.untouched(sample.main, sample.log))
    assert expected <= set(sample.newest)
    assert len(sample.newest) - len(expected) <= 2, "a check that is a short number may stand anywhere: one row in 256"
    assert len(set(sample.untouched(b"", sample.log))) < len(sample.newest) / 2
