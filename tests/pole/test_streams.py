"""tools.pole: a port's bytes split into frames and text; messages, health and sights in words and letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streetwire
from gateway.words import LANGUAGES
from tools.pole import lines, picture
from tools.pole.stream import MAX_TEXT, Stream

ADDRESS = (0xA3F1C2, 7)
HELLO = streetwire.Hello(*ADDRESS, 3, 3700, 1, 9, 1, "0.1.0", "school-pir", "pir,dht22", "esp32")
SIGHT = streetwire.Sight(*ADDRESS, 1000, 3, 4, [100, 2000, -40])
HEALTH = streetwire.HEALTH["counter_silent"] | streetwire.HEALTH["supply_low"]
LIVE = streetwire.Live(*ADDRESS, 3, 90_061, 5, 6, [(streetwire.ID_OF["health"], HEALTH), (streetwire.ID_OF["temperature_c"], 2150)])
RECORD = streetwire.RecordMessage(*ADDRESS, 0, streetwire.Record(1, 3, 1_800_000_000, 60, 60, 2, 1, 2, 1, 2000, 100, 6, 0))
TEST = streetwire.TestResult(*ADDRESS, [(0, 3, 0), (1, 0, 2100)])
AIMED = streetwire.TestResult(*ADDRESS, [(11, 0, 5), (12, 0, 4)])
ALL = [HELLO, LIVE, RECORD, TEST, AIMED, SIGHT, streetwire.Log(*ADDRESS, 4, 60, "counter: silent"), streetwire.Ack(*ADDRESS, 3)]


def frame(message: streetwire.Message) -> bytes:
    return streetwire.encode_frame(message.encode())


def plain(found) -> list:
    return [one if isinstance(one, str) else one.encode() for one in found]


@given(st.lists(st.sampled_from([*ALL, "rst:0x1 (POWERON_RESET)", "Grüße"]), max_size=12), st.data())
def test_frames_and_text_come_out_in_order_whatever_the_portions(said, data):
    raw = b"".join(one.encode() + b"\r\n" if isinstance(one, str) else frame(one) for one in said)
    stream, found, at = Stream(), [], 0
    while at < len(raw):
        n = data.draw(st.integers(1, len(raw) - at))
        found += stream.feed(raw[at : at + n])
        at += n
    found += stream.end()
    assert plain(found) == plain(said)
    assert stream.bad == 0


def test_text_is_told_at_the_end_of_its_line_and_not_with_the_next_frame():
    assert Stream().feed(b"Traceback\r\n") == ["Traceback"]


@given(st.binary(max_size=600))
def test_any_bytes_are_taken_and_little_is_held(data):
    stream = Stream()
    for _ in range(10):
        stream.feed(data)
    assert len(stream._held) <= MAX_TEXT + len(data)


def test_noise_is_counted_and_what_follows_is_heard():
    stream = Stream()
    assert plain(stream.feed(b"\x00\xff\x80\x01\x02\x00" + frame(LIVE))) == [LIVE.encode()]
    assert stream.bad == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("message", ALL[:-3] + ALL[-2:], ids=lines.kind_name)
def test_every_message_is_one_line(message, language):
    line = lines.line_of(message, language)
    assert line
    assert "\n" not in line


def test_health_is_told_in_words():
    told = lines.line_of(LIVE, "de")
    assert "DER ZÄHLENDE SENSOR IST STUMM, DIE VERSORGUNG IST SCHWACH" in told
    assert "1 d 01:01:01" in told
    assert "21,5 °C" in told
    assert lines.health_words(streetwire.Live(*ADDRESS, 1, 1, 0, 0), "en") == "well"
    for name, bit in streetwire.HEALTH.items():
        assert lines.health_words(streetwire.Live(*ADDRESS, 1, 1, 0, 0, [(streetwire.ID_OF["health"], bit)]), "en"), name


def test_data_has_names_units_and_no_object_numbers():
    assert lines.fields(LIVE)["temperature_c"] == 21.5
    assert lines.fields(LIVE)["health"] == HEALTH
    assert lines.fields(RECORD)["d_ab"] == 2
    assert lines.fields(TEST)["checks"]["counter"] == {"verdict": "silent", "value": 0}
    assert lines.fields(AIMED)["counted"] == {"ab": 5, "ba": 4}


def test_a_target_stands_where_it_is_and_the_line_in_the_middle():
    rows = picture.draw("radar", [0, 0, 0, 2000, 3000, 50])
    assert rows[-2][5 + 20] == "O"
    assert rows[6].index("O") == 5 + 30
    assert all(row[25] == "|" for row in rows[:6])


@given(st.sampled_from(["radar", "lidar", "door", "switches", ""]), st.lists(st.integers(-32768, 32767), max_size=16))
def test_whatever_is_seen_can_be_drawn(kind, seen):
    rows = picture.draw(kind, seen)
    assert all(len(row) < 130 for row in rows)


def test_ranges_and_levels_are_bars():
    assert picture.draw("lidar", [4000, -1])[0].count("#") == 20
    assert picture.draw("lidar", [4000, -1])[1].endswith("-")
    assert picture.draw("switches", [1, 0]) == ["A ######", "B ......"]
    assert picture.draw("door", [9999, 0])[0].count("#") == picture.BAR
