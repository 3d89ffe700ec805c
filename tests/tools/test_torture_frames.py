"""tools.torture_frames: a million malformed frames in every run; and whatever rule the wire protocol breaks is found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import streetwire
from tools import torture_frames
from tools.torture_frames import Told, good_payloads, main, stream_of, torture
from tools.torturing import Broken


def test_of_a_million_malformed_frames_none_is_accepted(capsys):
    code = main(["--frames", "1000000", "--seed", "1"])
    said = capsys.readouterr().out
    assert code == 0, said
    malformed, good = (int(number) for number in re.findall(r"(\d+) (?:malformed|good)", said))
    assert malformed >= 1_000_000
    assert good > 10_000, "too few good ones among them to tell that they still come through"


def test_a_stream_follows_from_its_seed_and_number():
    frames = [b"\x00" + torture_frames.framed(payload) + b"\x00" for payload in good_payloads()]
    assert stream_of(1, 7, frames) == stream_of(1, 7, frames)
    assert len({stream_of(seed, number, frames) for seed in (1, 2) for number in (0, 1)}) == 4


def test_every_kind_of_message_is_damaged():
    assert {payload[0] & 15 for payload in good_payloads()} == set(streetwire._READERS)
    for payload in good_payloads():
        assert streetwire.encode_frame(payload) == b"\x00" + torture_frames.framed(payload) + b"\x00"


def broken(words: str) -> Broken:
    with pytest.raises(Broken) as caught:
        torture(20_000, 1)
    assert words in caught.value.rule
    return caught.value


def test_a_deframer_that_does_not_check_is_found(monkeypatch):
    def trusts(self):
        size, self._size = self._size, 0
        try:
            content = streetwire.cobs_decode(bytes(self._held[: min(size, streetwire.MAX_FRAME)]))
        except streetwire.WireError:
            content = b""
        return bytes(content[:-4]) or None

    monkeypatch.setattr(streetwire.Deframer, "_finish", trusts)
    assert broken("nobody framed").data not in good_payloads()


def test_a_deframer_that_loses_a_good_frame_is_found(monkeypatch):
    feed = streetwire.Deframer.feed
    monkeypatch.setattr(streetwire.Deframer, "feed", lambda self, data: feed(self, data)[1:])
    broken("a good frame was not accepted")


def test_a_deframer_that_grows_is_found(monkeypatch):
    held = []
    hold = streetwire.Deframer._hold

    def hoard(self, data, start, end):
        held.append(bytes(data[start:end]))
        hold(self, data, start, end)

    monkeypatch.setattr(streetwire.Deframer, "_hold", hoard)
    broken("blocks of memory more")


def test_a_deframer_that_gives_up_is_found(monkeypatch):
    def trips(data):
        raise IndexError("bytearray index out of range")

    monkeypatch.setattr(streetwire, "cobs_decode", trips)
    assert broken("IndexError").data


def test_a_message_that_forgets_is_found(monkeypatch):
    monkeypatch.setitem(streetwire._READERS, streetwire.ACK, lambda node, incarnation, tail: streetwire.Ack(node, incarnation, 0))
    assert broken("something else").data[0] & 15 == streetwire.ACK


def test_the_failing_bytes_are_said_with_the_exit_code(monkeypatch, capsys):
    monkeypatch.setitem(streetwire._READERS, streetwire.ACK, lambda node, incarnation, tail: streetwire.Ack(node, incarnation, 0))
    assert main(["--frames", "20000", "--seed", "5", "--processes", "1"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("seed 5: ")
    assert bytes.fromhex(said[1])[0] & 15 == streetwire.ACK


def test_runs_are_added_up():
    assert Told(1, 2) + Told(3, 4) == Told(4, 6)


def test_without_the_judges_package_it_says_in_one_line_how_to_get_it():
    run_it = "import runpy, sys; sys.modules['cobs'] = None; runpy.run_module('tools.torture_frames', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", run_it], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (3, 1)
    assert "python3 tools/go.py test installs it" in ended.stderr
