"""`trottoir node test`, `aim` and `monitor` on a real node: its firmware in MicroPython at the other end of a pty."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from gateway import findings
from gateway.errors import EXIT_CHECK_FAILED, EXIT_DEVICE, EXIT_ENVIRONMENT, EXIT_OK, EXIT_USAGE
from gateway.ownership import Ownership
from gateway.results import AIMS, TESTS
from tests.real_parts import needs
from tools import cli
from tools.wired import Wired

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "node"))
pytestmark = [needs("pty"), needs("micropython")]

NODE = "tr-c30a01"
FOREVER = range(4000, 4_000_000, 8000)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TROTTOIR_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trottoir.toml").write_text(f'[gateway]\nstate_dir = "{tmp_path}/state"\npage = "off"\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def trottoir(capsys):
    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words))
        done = capsys.readouterr()
        assert "Traceback" not in done.out + done.err
        assert "trottoir-bug" not in done.err
        return code, done.out, done.err

    return call


@pytest.fixture
def node(here, monkeypatch):
    """Walks to and fro, the first from A to B."""
    import node_desk
    import slots_desk
    from paced_node import PacedNode

    monkeypatch.setattr(slots_desk, "walk", lambda t_ms: node_desk.walk(t_ms, 1 if t_ms % 16_000 == 4000 else -1))
    with PacedNode(here / "node", FOREVER) as node:
        yield node


def test_a_self_test_says_what_was_found_and_is_kept(trottoir, node, here):
    code, out, _ = trottoir("node", "test", "--port", node.port)
    assert code == EXIT_OK
    assert f"{NODE} (pavement-radar" in out
    told = findings.newest(here / "state", NODE, TESTS)
    assert told is not None
    assert (told["ok"], told["by"], told["checks"]["clock"]["verdict"]) == (True, "command", "good")
    code, out, _ = trottoir("--lang", "de", "node", "test", NODE.upper(), "--port", node.port)
    assert code == EXIT_OK
    assert "Alles ist, wie es sein soll" in out


def test_with_a_person_the_line_is_seen_and_a_button_that_nobody_presses_is_said_with_what_to_do(trottoir, node):
    code, out, err = trottoir("--json", "node", "test", "--port", node.port, "--person")
    told = json.loads(out)
    checks = {row["check"]: row for row in told["checks"]}
    assert code == EXIT_CHECK_FAILED
    assert checks["line"]["verdict"] == "good"
    assert checks["button"]["verdict"] == "missed"
    assert "two wires" in checks["button"]["do"]
    assert checks["line"]["do"] is None
    assert not told["ok"]
    assert "counted" in err


def test_aiming_tells_each_walk_and_keeps_the_sums_and_nothing_that_was_seen(trottoir, node, here):
    with Wired(node.port) as wired:  # the next walk is from A to B
        wired.meet()
        before = None
        for message in wired.listen(30):
            total = getattr(message, "total_ba", None)
            if before is not None and total is not None and total > before:
                break
            before = total if total is not None else before
    code, out, _ = trottoir("--json", "node", "aim", "--port", node.port, "--walks", "4", "--page", "off")
    *walks, summary = map(json.loads, out.splitlines())
    assert len(walks) == 4
    assert [walk["direction"] for walk in walks] == ["ab", "ba", "ab", "ba"]
    assert summary["walked"] == {"ab": 2, "ba": 2}
    assert sum(walk["ab"] + walk["ba"] for walk in walks) == 4
    assert code == (EXIT_OK if summary["ok"] else EXIT_CHECK_FAILED)
    kept = findings.newest(here / "state", NODE, AIMS)
    assert kept is not None
    assert (kept["walked"], kept["counted"]) == (summary["walked"], summary["counted"])
    assert set(kept) == {"time", "by", "node", "kit", "port", "ok", "walked", "counted", "advice"}


def test_the_monitor_tells_lines_health_and_sights(trottoir, node):
    code, out, _ = trottoir("--json", "node", "monitor", node.port, "--seconds", "3")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == EXIT_OK
    assert {"hello", "live", "sight", "log"} <= {line["kind"] for line in told}
    assert any(line["kind"] == "sight" and line["seen"] for line in told)
    code, out, _ = trottoir("--lang", "de", "node", "monitor", NODE.upper(), "--seconds", "1")
    assert code == EXIT_DEVICE  # it is on no port that is listed or plugged in


def test_a_recording_holds_no_sight_and_is_read_again(trottoir, node, here):
    code, out, _ = trottoir("node", "monitor", node.port, "--seconds", "3", "--record", "said.bin")
    assert code == EXIT_OK
    (here / "said.bin").write_bytes(b"rst:0x1 (POWERON_RESET)\r\n" + (here / "said.bin").read_bytes())
    code, again, _ = trottoir("--json", "node", "monitor", "said.bin")
    kinds = [json.loads(line)["kind"] for line in again.splitlines()]
    assert code == EXIT_OK
    assert kinds[0] == "text"
    assert "live" in kinds
    assert "sight" not in kinds
    assert len(kinds) - 1 == len(out.splitlines())
    assert trottoir("node", "monitor", node.port, "--record", "said.bin")[0] == EXIT_ENVIRONMENT


def test_a_port_that_the_gateway_has_open_is_said_in_one_line(trottoir, node, here):
    (here / "state").mkdir()
    gateway = Ownership(here / "state" / "lock")
    with Wired(node.port):
        for words in (("test", "--port", node.port), ("aim", "--port", node.port), ("monitor", node.port)):
            code, out, err = trottoir("node", *words)
            assert (code, out) == (EXIT_DEVICE, "")
            assert "systemctl stop trottoir" in err
            assert err.count("\n") == 1
        gateway.release()
        assert "busy" in trottoir("node", "monitor", node.port)[2]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("test", "a3f1c2"), EXIT_USAGE),
        (("test", "--port", "/dev/tty-of-nobody"), EXIT_DEVICE),
        (("aim", "--walks", "1"), EXIT_USAGE),
        (("aim", "--page", "example.org:80"), EXIT_USAGE),
        (("monitor", "/dev/tty-of-nobody"), EXIT_DEVICE),
        (("monitor", "trottoir.toml", "--record", "x"), EXIT_USAGE),
    ],
)
def test_bad_input_is_one_line(trottoir, words, code):
    found, out, err = trottoir("node", *words)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
