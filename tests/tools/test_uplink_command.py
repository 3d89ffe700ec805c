"""`trottoir uplink`: one line a step, what to do at the first that fails, the contract's exit codes; on real servers."""

from __future__ import annotations

import json
import os
import re
import socket

import pytest
import urllib3

from gateway import config
from gateway.store import Store
from gateway.uplink import http
from gateway.uplink.influx_v1 import InfluxV1
from tests.gateway import parts
from tests.gateway.uplink.hostile import Hostile, pings_like_influxdb
from tests.real_parts import needs
from tools import cli, uplink_command
from tools.street.server_process import free_port
from tools.street.victoria import Victoria

STEPS = ["address", "reachable", "server", "token", "target", "write", "read"]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TROTTOIR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def uplink(tmp_path, capsys):
    """Runs `trottoir uplink VERB` with keys of [uplink]; returns exit code, stdout and stderr."""

    def call(*words: str, before: tuple[str, ...] = (), **keys: object) -> tuple[int, str, str]:
        path = tmp_path / "trottoir.toml"
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {"enabled": True, **keys}.items())
        path.write_text(f"[gateway]\nstate_dir = {json.dumps(str(tmp_path / 'state'))}\n[uplink]\n{table}", encoding="utf-8")
        code = cli.main(["--config", str(path), *before, "uplink", *words])
        done = capsys.readouterr()
        assert "Traceback" not in done.out + done.err
        return code, done.out, done.err

    return call


@pytest.fixture
def token_file(tmp_path):
    """Writes a token where the configuration may look for it; returns its path."""

    def write(token: str, mode: int = 0o600) -> str:
        path = tmp_path / "token"
        path.write_text(token)
        path.chmod(mode)
        return str(path)

    return write


def document(out: str) -> dict:
    """The one JSON document that was printed; its step that failed last, if any did."""
    found = json.loads(out)
    assert set(found) == {"ok", "steps", "server", "exit_code"}
    assert all(step["ok"] for step in found["steps"][:-1])
    assert found["ok"] == found["steps"][-1]["ok"] == (found["exit_code"] == 0)
    return found


# -- check, where all is well


@needs("influxd")
def test_check_on_influxd(uplink, influxd, database):
    keys = {"api": "v1", "url": influxd.url, "database": database}
    code, out, err = uplink("check", before=("--json",), **keys)
    found = document(out)
    assert (code, [step["step"] for step in found["steps"]]) == (0, STEPS)
    assert re.fullmatch(r"InfluxDB 1\.\S+", found["server"])
    assert len(err.splitlines()) == len(STEPS), "messages go to stderr"
    code, out, err = uplink("check", **keys)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "the uplink works"
    assert all(line.startswith("ok ") for line in out.splitlines()[:-1])


def test_check_leaves_nothing_open(uplink, monkeypatch):
    closed = []

    def close(uplink: InfluxV1) -> None:
        closed.append(uplink)

    monkeypatch.setattr(InfluxV1, "close", close)
    uplink("check", api="v1", url=f"http://127.0.0.1:{free_port()}")
    assert len(closed) == 1


@needs("influxd")
def test_the_test_point_is_no_count(uplink, influxd, database):
    uplink("check", api="v1", url=influxd.url, database=database)
    reader = InfluxV1(influxd.url, database)
    assert [row.tags for row in reader.read("uplink_check", 0, 1 << 33)] == [{"gateway": "gateway"}]
    assert reader.read("passages", 0, 1 << 33) == []
    reader.close()


@needs("influxd")
def test_check_on_influxdb_2(uplink, adapter, database, token_file):
    keys = {"url": adapter.url, "org": adapter.org, "bucket": database, "token_file": token_file(adapter.writer)}
    code, out, err = uplink("check", before=("--json",), api="v2", **keys)
    assert (code, [step["step"] for step in document(out)["steps"]]) == (0, STEPS)
    assert adapter.writer not in out + err


@needs("victoria-metrics")
def test_check_on_victoriametrics_says_what_it_does_not_promise(uplink, victoria):
    code, out, _ = uplink("check", before=("--json",), api="v2", url=victoria.url)
    found = document(out)
    assert (code, [step["step"] for step in found["steps"]]) == (0, [*STEPS[:3], "promise", *STEPS[3:]])
    assert found["server"] == "VictoriaMetrics"
    assert "older state" in found["steps"][3]["detail"]


def test_check_on_files(uplink, tmp_path):
    code, out, _ = uplink("check", before=("--json",), api="file", folder=str(tmp_path / "points"))
    assert (code, document(out)["server"]) == (0, "file")
    assert len(list((tmp_path / "points").glob("uplink_check-*.lp"))) == 1


@needs("influxd")
def test_check_of_an_uplink_that_is_off_says_so_and_checks(uplink, influxd, database):
    code, out, err = uplink("check", enabled=False, api="v1", url=influxd.url, database=database)
    assert code == 0
    assert err == "[uplink] enabled is false: nothing is sent until it is true. Checking anyway.\n"
    assert out.endswith("the uplink works\n")


@needs("influxd")
def test_check_speaks_german(influxd, database, capsys):
    settings = config.Config(uplink=config.UplinkConfig(enabled=False, api="v1", url=influxd.url, database=database))
    assert uplink_command.check(settings, "de") == 0
    done = capsys.readouterr()
    assert done.out.splitlines()[-1] == "der Uplink funktioniert"
    assert done.err.endswith("Geprüft wird trotzdem.\n")


# -- check, where something is wrong: the last line says what to do


def fails(call, step: str, exit_code: int, text: str, **keys: object) -> None:
    """The step that fails, its exit code, and a line with a remedy, as JSON and as text."""
    code, out, err = call("check", before=("--json",), **keys)
    found = document(out)
    assert (code, found["exit_code"], found["steps"][-1]["step"]) == (exit_code, exit_code, step)
    code, out, err = call("check", **keys)
    assert (code, err) == (exit_code, "")
    *good, last = out.splitlines()
    assert all(line.startswith(("ok ", "note ")) for line in good)
    assert last.startswith("failed ")
    assert text in last


@needs("influxd")
@pytest.mark.parametrize(
    ("change", "token", "step", "exit_code", "text"),
    [
        ({}, "nobody", "token", 7, "found HTTP 401 unauthorized access. Check uplink.token_file"),
        ({}, "reader", "token", 7, "insufficient permissions for write"),
        ({}, "blind", "read", 7, "the right to write and read bucket"),
        ({"bucket": "nowhere"}, "writer", "target", 8, "bucket 'nowhere'"),
        ({"org": "nobody"}, "writer", "target", 8, "organisation 'nobody'"),
    ],
)  # fmt: skip
def test_what_influxdb_2_does_not_allow_or_have(uplink, adapter, database, token_file, change, token, step, exit_code, text):
    path = token_file(getattr(adapter, token, token))
    keys = {"api": "v2", "url": adapter.url, "org": adapter.org, "bucket": database, "token_file": path, **change}
    fails(uplink, step, exit_code, text, **keys)


@needs("influxd")
def test_a_database_that_is_not_there(uplink, influxd):
    fails(uplink, "target", 8, "has no database 'nowhere'", api="v1", url=influxd.url, database="nowhere")


@needs("influxd")
def test_the_other_api(uplink, influxd):
    fails(uplink, "target", 8, "Set uplink.api", api="v2", url=influxd.url)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_nobody_to_reach(uplink, api, monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT", urllib3.Timeout(connect=0.2, read=0.2))
    fails(uplink, "reachable", 9, "Start the server", api=api, url=f"http://127.0.0.1:{free_port()}")
    fails(uplink, "reachable", 9, "nobody knows the name", api=api, url="http://nowhere.invalid:8086")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fails(uplink, "reachable", 9, "does not answer in time", api=api, url=f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_somebody_else_answers(uplink, api, token_file):
    hostile, elsewhere = Hostile(), Hostile()
    keys = {"api": api, "url": hostile.url, "token_file": token_file("t0ken")}
    hostile.say(302, b"", Location=elsewhere.url)
    fails(uplink, "reachable", 9, "sends us elsewhere", **keys)
    assert elsewhere.requests == []
    hostile.say(200, b"<html>\nlog in</html>")
    fails(uplink, "reachable", 9, "is not a database we know: found HTTP 200 log in", **keys)
    hostile.close()
    elsewhere.close()


@pytest.mark.parametrize(
    ("post", "step", "exit_code", "text"),
    [
        (200, "write", 9, "is not a database we know"), (500, "write", 9, "is in trouble"), (400, "write", 1, "refuses the point"),
        (413, "write", 1, "refuses the point"), (307, "write", 9, "sends us elsewhere"), (401, "token", 7, "uplink.token_file"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_write_that_fails(uplink, api, post, step, exit_code, text):
    hostile = Hostile()
    ping = pings_like_influxdb(200, b"")
    hostile.answer = lambda handler: ping(handler) if handler.command == "GET" else reply_with(handler, post)
    fails(uplink, step, exit_code, text, api=api, url=hostile.url)
    hostile.close()


def reply_with(handler, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (b"{}", "cannot be read back"),
        (b'{"series":[{"tags":{"gateway":"gateway"},"columns":["time","value"],"values":[[1,-1]]}]}', "gave back -1"),
    ],
)
def test_a_point_that_does_not_come_back_as_it_was(uplink, monkeypatch, rows, text):
    monkeypatch.setattr(uplink_command, "SHOWN_AFTER_S", 0)
    hostile = Hostile()
    hostile.answer = pings_like_influxdb(200, b'{"results":[%s]}' % rows)
    fails(uplink, "read", 1, text, api="v2", url=hostile.url)
    hostile.close()


@needs("victoria-metrics")
def test_a_victoriametrics_that_keeps_copies_does_not_pass(uplink, tmp_path):
    server = Victoria(tmp_path / "victoria", keeps_copies=True)
    server.start()
    code, out, _ = uplink("check", api="v2", url=server.url)
    assert code == 1
    assert "-dedup.minScrapeInterval=1ms" in out.splitlines()[-1]
    server.stop()


@pytest.mark.parametrize(
    ("token", "mode", "text"),
    [
        ("t0ken", 0o644, "found mode 0644, expected 0600: chmod 600"), ("", 0o600, "found nothing in it"),
        ("tök€n", 0o600, "alone on one line"), ("two\nlines", 0o600, "alone on one line"),
    ],
)  # fmt: skip
def test_a_token_that_cannot_be_used_ends_with_3_before_anybody_is_asked(uplink, token_file, token, mode, text):
    hostile = Hostile()
    fails(uplink, "secret", 3, text, api="v2", url=hostile.url, token_file=token_file(token, mode))
    assert hostile.requests == []
    hostile.close()


def test_config_check_looks_at_the_token_too(capsys, tmp_path):
    path = tmp_path / "trottoir.toml"
    path.write_text(f"[uplink]\ntoken_file = {json.dumps(str(tmp_path / 'none'))}\n")
    assert cli.main(["--config", str(path), "config", "check"]) == 3
    assert "uplink.token_file" in capsys.readouterr().out


# -- what waits, and what was refused


@pytest.fixture
def store(tmp_path):
    """The store of a gateway that is running."""
    (tmp_path / "state").mkdir()
    store = Store(tmp_path / "state" / "store.db")
    yield store
    store.close()


def gateway_status(n: int) -> dict[str, int | float | str]:
    return {"outbox_points": n, "outbox_age_s": 0, "dead_letters": 0}


def test_status_while_the_gateway_runs(uplink, store):
    code, out, _ = uplink("status", url="http://127.0.0.1:1")
    assert code == 0
    assert out.splitlines() == ["[uplink] sends by v1 to http://127.0.0.1:1", "no points wait; refused: 0"]
    for n in range(3):
        store.add_gateway_status("gw", parts.T0 + 60 * n, gateway_status(n))
    (first, *_) = store.waiting(1)
    store.bury(first, "line", "reason", parts.T0)
    _, out, _ = uplink("status", before=("--json",), enabled=False)
    assert json.loads(out) == {
        "enabled": False, "api": "v1", "address": "http://127.0.0.1:8086", "waiting": 2, "oldest": "2027-01-15T08:01:00Z",
        "dead_letters": 1, "trouble": None,
    }  # fmt: skip
    _, out, _ = uplink("status", enabled=False)
    assert out.splitlines()[1] == "points waiting: 2, the oldest from 2027-01-15T08:01:00Z; refused: 1"
    store.add_gateway_status("gw", parts.T0 + 999, gateway_status(9))  # looking has locked nothing


def test_dead_letters_with_time_line_and_reason(uplink, store):
    assert uplink("dead-letters")[1] == "nothing was refused\n"
    for n in range(5):
        store.add_gateway_status("gw", parts.T0 + 60 * n, gateway_status(n))
        (ref,) = store.waiting(1)
        store.bury(ref, f"line {n}", f"HTTP 400 reason {n}", parts.T0 + n)
    code, out, err = uplink("dead-letters", "--limit", "2")
    assert (code, out.splitlines()) == (
        0, ["2027-01-15T08:00:03Z  HTTP 400 reason 3  line 3", "2027-01-15T08:00:04Z  HTTP 400 reason 4  line 4"],
    )  # fmt: skip
    assert err == "3 older refused points are not shown: --limit 5 shows all\n"
    _, out, _ = uplink("dead-letters", before=("--json",))
    found = json.loads(out)
    assert (found["count"], [row["line"] for row in found["dead_letters"]]) == (5, [f"line {n}" for n in range(5)])
    assert found["dead_letters"][0] == {"time": "2027-01-15T08:00:00Z", "line": "line 0", "reason": "HTTP 400 reason 0"}


@pytest.mark.parametrize("verb", ["status", "dead-letters"])
def test_where_no_gateway_has_run_it_is_said_and_nothing_is_made(uplink, tmp_path, verb):
    code, out, err = uplink(verb)
    assert (code, out) == (3, "")
    assert err == f"no gateway has run in {tmp_path / 'state'} yet. Check gateway.state_dir, or start trottoir run.\n"
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("verb", ["status", "dead-letters"])
def test_a_store_that_is_none_is_one_line(uplink, tmp_path, verb):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "store.db").write_bytes(b"no database " * 500)
    code, _, err = uplink(verb)
    assert (code, len(err.splitlines())) == (3, 1)


@pytest.mark.parametrize("verb", ["check", "status", "dead-letters"])
def test_every_verb_has_help_with_an_example(capsys, verb):
    assert not cli.main(["uplink", verb, "--help"])
    assert "Example: trottoir" in " ".join(capsys.readouterr().out.split())


def test_status_says_why_where_a_running_gateway_can_be_asked(uplink, store, monkeypatch):
    outbox = {"trouble": {"en": "HTTP 401", "de": "so nicht"}, "trouble_since_s": parts.T0, "next_try_s": parts.T0 + 600}
    monkeypatch.setattr("tools.page_client.ask", lambda _settings: {"outbox": outbox})
    assert "takes nothing since 2027-01-15T08:00:00Z: HTTP 401" in uplink("status")[1]
    assert "nichts an: so nicht; nächster" in uplink("status", before=("--lang", "de"))[1]
    assert json.loads(uplink("status", before=("--json",))[1])["trouble"]["reason"] == "HTTP 401"


@pytest.mark.parametrize("limit", ["-5", "0", "99999999999"])
def test_any_limit_is_bounded(uplink, store, limit):
    assert uplink("dead-letters", "--limit", limit)[0] == 0
