"""The file uplink: readable by every import tool, synced before it counts, and whole again after a power cut."""

from __future__ import annotations

import os

import pytest

from gateway.uplink.base import Outcome
from gateway.uplink.file import FileUplink
from tests.gateway.uplink.test_contract import T0, counts, passages


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "points"


def test_a_file_for_each_day_and_measurement_with_one_line_a_point(folder):
    lines = [passages(0, 1), passages(1, 2), passages(1440, 3)]
    FileUplink(folder).send(lines)
    days = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert days == {
        "passages-2024-04-20.lp": lines[0] + b"\n" + lines[1] + b"\n",
        "passages-2024-04-21.lp": lines[2] + b"\n",
    }


def test_wherever_a_power_cut_tears_a_batch_no_point_appears_that_nobody_sent(folder):
    uplink = FileUplink(folder)
    uplink.send([passages(0, 1)])
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    torn = passages(1, 2) + b"\n" + passages(2, 3)
    for cut in range(1, len(torn) + 1):
        path.write_bytes(whole + torn[:cut])
        found = {row.time_s for row in uplink.read("passages", 0, 1 << 40)}
        assert found <= {T0, T0 + 60, T0 + 120}, cut
        assert uplink.send([passages(1, 7), passages(2, 8)]).outcome is Outcome.STORED
        assert {row.time_s for row in uplink.read("passages", 0, 1 << 40)} == {T0, T0 + 60, T0 + 120}, cut
        assert counts(uplink) == {0: 1, 1: 7, 2: 8}


def test_a_torn_end_longer_than_a_block_is_cut_off_too(folder):
    uplink = FileUplink(folder)
    uplink.send([passages(0, 1)])
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes() + b"x" * 200_000)
    uplink.send([passages(1, 2)])
    assert path.read_bytes() == passages(0, 1) + b"\n" + passages(1, 2) + b"\n"


def test_it_counts_as_stored_only_after_the_sync(folder, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    assert FileUplink(folder).send([passages(0, 1)]).outcome is Outcome.STORED
    assert synced == [len(passages(0, 1)) + 1]

    def broken(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    answer = FileUplink(folder).send([passages(1, 1)])
    assert (answer.outcome, "Input/output" in answer.reason) == (Outcome.RETRY, True)


def test_a_folder_that_cannot_be_made_keeps_the_data_until_it_can(folder):
    folder.parent.mkdir()
    folder.write_text("a file stands where the folder should be")
    uplink = FileUplink(folder)
    answer = uplink.send([passages(0, 1)])
    assert answer.outcome is Outcome.RETRY
    assert str(folder) in answer.reason
    folder.unlink()
    assert uplink.send([passages(0, 1)]).outcome is Outcome.STORED


def test_a_batch_with_a_bad_line_writes_nothing(folder):
    assert FileUplink(folder).send([passages(0, 1), b"bad"]).outcome is Outcome.REFUSED
    assert not folder.exists()
