"""What became of which board: kept, bounded, read back, as a table; and labels."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest

from gateway.config import parse
from gateway.words import Say
from tools import flash_command
from tools.flashing import report
from tools.flashing.label import PER_SHEET, Label, sheet
from tools.flashing.one_board import Outcome


def outcome(node="tr-a3f1c2", **about) -> Outcome:
    made = Outcome("/dev/x", "school-pir", "0.1.0", "ab" * 32, "1.24.1", node, "24:dc:c3:a3:f1:c2", "ESP32", "files")
    made.began = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
    for name, value in about.items():
        setattr(made, name, value)
    return made


def test_rows_are_read_back_newest_last(tmp_path):
    report.append(tmp_path, [outcome(), outcome("tr-000001")])
    report.append(
        tmp_path, [outcome("tr-000002", exit_code=6, problem=Say("error.flash-chip", {"port": "/dev/x", "found": "ESP8266"}))]
    )
    rows = report.read(tmp_path)
    assert [row["id"] for row in rows] == ["tr-a3f1c2", "tr-000001", "tr-000002"]
    assert (rows[0]["result"], rows[0]["time"], rows[0]["sha256"]) == ("good", "2026-05-01T08:00:00+00:00", "ab" * 32)
    assert rows[2]["result"] == "failed" and "ESP8266" in rows[2]["problem"]
    assert [row["id"] for row in report.read(tmp_path, 1)] == ["tr-000002"]
    assert report.read(tmp_path, 0) == []


def test_a_node_whose_self_test_found_something_is_not_good(tmp_path):
    made = outcome(exit_code=1, results=[("counter", "silent", 0), ("climate", "good", 2100)])
    report.append(tmp_path, [made])
    row = report.read(tmp_path)[0]
    assert (row["result"], row["test"]) == ("untested", {"counter": ["silent", 0], "climate": ["good", 2100]})


def test_what_a_cut_left_is_passed_over(tmp_path):
    report.append(tmp_path, [outcome()])
    with (tmp_path / report.FILE).open("a") as file:
        file.write('{"id": "tr-0\n[1]\n{"id": 5}\n{"id": "tr-000009", "test": 7}\n')
    assert [(row["id"], row["test"]) for row in report.read(tmp_path)] == [("tr-a3f1c2", {}), ("tr-000009", {})]


def test_the_older_half_goes_when_there_are_too_many(tmp_path, monkeypatch):
    report.append(tmp_path, [outcome(f"tr-{n:06x}") for n in range(20)])
    monkeypatch.setattr(report, "MAX_BYTES", 1000)
    report.append(tmp_path, [outcome("tr-ffffff")])
    assert [row["id"] for row in report.read(tmp_path)] == [f"tr-{n:06x}" for n in range(10, 20)] + ["tr-ffffff"]


def test_a_spreadsheet_gets_text_and_no_formula():
    rows = [report.row_of(outcome(port="=cmd|' /C calc'!A0", results=[("log", "good", 3)]))]
    told = next(csv.DictReader(io.StringIO(report.as_csv(rows))))
    assert told["port"].startswith("'=") and told["test"] == "log=good"


# -- labels


def test_a_sheet_of_labels():
    text = sheet([Label(f"tr-{n:06x}", "Ritterstraße <1>", "24:dc:c3:00:00:01") for n in range(PER_SHEET + 1)], "de")
    assert text.count("<section>") == 2 and text.count("<svg") == PER_SHEET + 1
    assert "TR-000018" in text and "Ritterstraße &lt;1&gt;" in text and 'lang="de"' in text
    assert not re.search(r"(?:src|href)=|url\(|https?://(?!www\.w3\.org)", text)


@pytest.fixture
def settings(tmp_path):
    text = f"""[gateway]
state_dir = {json.dumps(str(tmp_path))}
[sites.ritterstrasse]
name = "Ritterstraße"
[nodes.tr-a3f1c2]
site = "ritterstrasse"
"""
    return parse(text, "x", {})


def test_labels_of_what_was_asked_for(settings, tmp_path, capsys):
    report.append(tmp_path, [outcome("tr-000001"), outcome("tr-000002", exit_code=6), outcome("tr-000003"), outcome("tr-000001")])

    def labelled(nodes, last=None):
        assert flash_command.label(settings, nodes, last) == 0
        return re.findall(r"<h1>(.*?)</h1>", capsys.readouterr().out)

    assert labelled([]) == ["TR-A3F1C2"]
    assert labelled(["TR-000009", "tr-a3f1c2"]) == ["TR-000009", "TR-A3F1C2"]
    assert labelled([], 5) == ["TR-000003", "TR-000001"]
    assert labelled([], 1) == ["TR-000001"]


def test_a_label_has_the_sites_name(settings, capsys):
    flash_command.label(settings, [], None)
    assert "Ritterstraße" in capsys.readouterr().out


def test_what_is_no_id(settings):
    with pytest.raises(flash_command.UsageError):
        flash_command.label(settings, ["../x"], None)


def test_nothing_to_label(tmp_path, capsys):
    text = f"[gateway]\nstate_dir = {json.dumps(str(tmp_path))}\n"
    assert flash_command.label(parse(text, "x", {}), [], None) == 2
    assert capsys.readouterr().out == ""
