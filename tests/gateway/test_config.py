"""gateway.config: typed values, every mistake at once with its place, and secrets that stay where they belong."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway import config
from gateway.config import Config
from gateway.errors import EXIT_ENVIRONMENT, ConfigError

FULL = """
[gateway]
id = "gw-1"
state_dir = "/srv/trottoir"
log = "json"
[serial]
ports = ["/dev/ttyUSB0", "/dev/ttyACM1"]
[uplink]
enabled = true
api = "v1"
url = "https://influx.city.de:8086"
database = "street"
user = "gw"
password_file = "/run/credentials/influx"
folder = "/srv/points"
batch_points = 1000
batch_wait_s = 10
[sites.bahnhof]
name = "Bahnhofstraße"
a_to_b = "zum Bahnhof"
greatest_per_minute = 200
[sites.jahnplatz]
[nodes.tr-a3f1c2]
site = "bahnhof"
[nodes.tr-0000b2]
placements = [
  { site = "jahnplatz", valid_from = 2026-06-01T00:00:00+02:00 },
  { site = "bahnhof", valid_from = 2026-05-01T00:00:00Z },
]
"""
NODE = "[sites.bahnhof]\n[nodes.tr-a3f1c2]\n"
MOVED = "[sites.bahnhof]\n[[nodes.tr-a3f1c2.placements]]\n"


def parse(text: str, **environment: str) -> Config:
    return config.parse(text, "street.toml", environment)


def problems(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, **environment)
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    assert all("\n" not in problem for problem in caught.value.lines())
    return caught.value.lines()


# -- what it gives


def test_nothing_is_needed_and_nothing_leaves_the_machine():
    assert parse("") == Config()
    assert Config().uplink.enabled is False
    assert config.load(None, {}) == Config()
    assert (Config().uplink.batch_points, Config().uplink.batch_wait_s) == (5000, 1)


def test_everything_arrives_typed():
    found = parse(FULL)
    assert found.gateway.state_dir == Path("/srv/trottoir")
    assert found.serial.ports == ["/dev/ttyUSB0", "/dev/ttyACM1"]
    assert (found.uplink.url, found.uplink.password_file) == ("https://influx.city.de:8086", Path("/run/credentials/influx"))
    assert (found.uplink.batch_points, found.uplink.batch_wait_s) == (1000, 10)
    assert found.sites["bahnhof"].greatest_per_minute == 200
    assert found.sites["jahnplatz"].greatest_per_minute == 120


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("node", "moment", "site"),
    [
        ("tr-a3f1c2", "1970-01-01T00:00:00+00:00", "bahnhof"),
        ("tr-a3f1c2", "2099-01-01T00:00:00+00:00", "bahnhof"),
        ("tr-0000b2", "2026-04-30T23:59:59+00:00", None),
        ("tr-0000b2", "2026-05-01T00:00:00+00:00", "bahnhof"),
        ("tr-0000b2", "2026-05-31T21:59:59+00:00", "bahnhof"),
        ("tr-0000b2", "2026-05-31T22:00:00+00:00", "jahnplatz"),
        ("tr-ffffff", "2026-06-01T00:00:00+00:00", None),
    ],
)
def test_where_a_node_was_at_a_moment(node, moment, site):
    assert parse(FULL).site_of(node, at(moment)) == site


# -- what it refuses


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[gateway]\nid = 'GW'", "gateway.id: found 'GW'"),
        ("[gateway]\nid = ''", "gateway.id: found ''"),
        ("[gateway]\nid = 'a b'", "gateway.id"),
        ("[gateway]\nlog = 'xml'", "expected 'text' or 'json'"),
        ("[gateway]\nstate_dir = 5", "gateway.state_dir: found 5"),
        ("[serial]\nports = '/dev/ttyUSB0'", "serial.ports: found '/dev/ttyUSB0', expected a list in square brackets"),
        ("[serial]\nports = [1]", "serial.ports.0: found 1"),
        ("[uplink]\nenabled = 'yes'", "uplink.enabled: found 'yes'"),
        ("[uplink]\nenabled = 1", "uplink.enabled: found 1"),
        ("[uplink]\napi = 'v7'", "uplink.api: found 'v7'"),
        ("[uplink]\nurl = 'influx.city.de'", "uplink.url: found 'influx.city.de'"),
        ("[uplink]\nurl = 'http://h/write'", "uplink.url"),
        ("[uplink]\nurl = 'http://h?x=1'", "uplink.url"),
        ("[uplink]\nurl = 'ftp://h'", "uplink.url"),
        ("[uplink]\nurl = 'https://influx.example.org'", "a real value instead of the placeholder"),
        ("[uplink]\ndatabase = '<database>'", "a real value instead of the placeholder"),
        ("[uplink]\ndatabase = ''", "uplink.database"),
        ("[uplink]\ndatabase = '" + "x" * 65 + "'", "uplink.database"),
        ("[uplink]\nuser = 'changeMe'\npassword_file = '/x'", "a real value instead of the placeholder"),
        ("[uplink]\nuser = ''\npassword_file = '/x'", "uplink.user"),
        ("[uplink]\nuser = 'x'", "found only user, expected user and password_file together or neither"),
        ("[uplink]\npassword_file = '/x'", "found only password_file, expected user and password_file together or neither"),
        ("[uplink]\nbatch_points = 0", "uplink.batch_points: found 0"),
        ("[uplink]\nbatch_points = 5001", "uplink.batch_points: found 5001"),
        ("[uplink]\nbatch_points = 5.0", "uplink.batch_points: found 5.0"),
        ("[uplink]\nbatch_points = true", "uplink.batch_points: found True"),
        ("[uplink]\nbatch_wait_s = 0", "uplink.batch_wait_s"),
        ("[uplink]\nbatch_wait_s = 301", "uplink.batch_wait_s"),
        ("[sites.Bahnhof]", "sites.Bahnhof: found 'Bahnhof'"),
        ("[sites.a]\ngreatest_per_minute = 0", "sites.a.greatest_per_minute"),
        ("[sites.a]\ngreatest_per_minute = 4001", "sites.a.greatest_per_minute"),
        ("[sites.a]\nname = '" + "x" * 121 + "'", "sites.a.name"),
        ("[sites.a]\na_to_b = 5", "sites.a.a_to_b"),
        ("[sites.a]\n[nodes.tr-A3F1C2]\nsite = 'a'", "nodes.tr-A3F1C2"),
        ("[sites.a]\n[nodes.a3f1c2]\nsite = 'a'", "nodes.a3f1c2"),
        ("[sites.bahnhof]\n[nodes.tr-a3f1c2]", "nodes.tr-a3f1c2: expected either site or placements"),
        (MOVED + "site = 'bahnhof'\nvalid_from = 2026-05-01T00:00:00Z\n[nodes.tr-0000b2]", "nodes.tr-0000b2"),
        (
            NODE + "site = 'bahnhof'\nplacements = [{site = 'bahnhof', valid_from = 2026-05-01T00:00:00Z}]",
            "either site or placements",
        ),
        (NODE + "site = 'bahnhoff'", "nodes.tr-a3f1c2: found site 'bahnhoff', expected one that [sites] lists"),
        (MOVED + "site = 'nowhere'\nvalid_from = 2026-05-01T00:00:00Z", "found site 'nowhere'"),
        (MOVED + "site = 'bahnhof'\nvalid_from = 2026-05-01T00:00:30Z", "a whole minute with its offset"),
        (MOVED + "site = 'bahnhof'\nvalid_from = 2026-05-01T00:00:00.5Z", "a whole minute with its offset"),
        (MOVED + "site = 'bahnhof'\nvalid_from = 2026-05-01T00:00:00", "a whole minute with its offset"),
        (MOVED + "site = 'bahnhof'\nvalid_from = 2026-05-01", "placements.0.valid_from"),
        (MOVED + "site = 'bahnhof'\nvalid_from = '2026-05-01T00:00:00Z'", "placements.0.valid_from"),
        (MOVED + "site = 'bahnhof'", "placements.0: expected valid_from, valid_until or both"),
        (
            MOVED + "site = 'bahnhof'\nvalid_from = 2026-05-01T00:00:00Z\nvalid_until = 2026-05-01T00:00:00Z",
            "placements.0: expected a valid_until that is later than valid_from",
        ),
        (MOVED + "site = 'bahnhof'\nvalid_until = 2026-05-01T00:00:30Z", "a whole minute with its offset"),
        (MOVED + "valid_until = 2026-05-01T00:00:00Z", "placements.0.site: missing"),
        (
            "[sites.a]\n[nodes.tr-a3f1c2]\nvalid_until = 2026-05-01T00:00:00Z\n"
            "placements = [{site = 'a', valid_from = 2026-05-01T00:00:00Z}]",
            "nodes.tr-a3f1c2: expected valid_from and valid_until beside site, or in each of the placements",
        ),
        (
            NODE + "site = 'bahnhof'\nvalid_from = 2026-05-01T01:00:00Z\nvalid_until = 2026-05-01T00:00:00Z",
            "nodes.tr-a3f1c2: expected a valid_until that is later than valid_from",
        ),
        (NODE + "site = 'bahnhof'\nname = '" + "x" * 61 + "'", "nodes.tr-a3f1c2.name"),
        ("gateway = 3", "gateway: found 3"),
        ("[[sites]]\nx = 1", "sites"),
        ("[gateway\n", "found '[gateway' in line 1, expected TOML"),
        ('[gateway]\nid = "a"\nid = "b"\n', "found 'id = ...' in line 3, which stands"),
        ('[gateway]\nstate_dir = ""\n', "gateway.state_dir: found ''"),
    ],
)
def test_each_rule_names_file_key_value_and_what_was_expected(text, named):
    found = problems(text)
    assert len(found) == 1, found
    assert found[0].startswith("street.toml: ")
    assert named in found[0]


@pytest.mark.parametrize(
    ("text", "place", "meant"),
    [
        ("[gatway]", "gatway", "gateway"),
        ("[gateway]\nstatedir = 'x'", "gateway.statedir", "state_dir"),
        ("[serial]\nport = []", "serial.port", "ports"),
        ("[uplink]\nbatch_point = 5", "uplink.batch_point", "batch_points"),
        ("[sites.a]\ngreatest_per_min = 5", "sites.a.greatest_per_min", "greatest_per_minute"),
        (NODE + "siet = 'bahnhof'\nsite = 'bahnhof'", "nodes.tr-a3f1c2.siet", "site"),
        (MOVED + "valid_form = 1\nsite = 'bahnhof'\nvalid_from = 2026-05-01T00:00:00Z", "placements.0.valid_form", "valid_from"),
    ],
)
def test_an_unknown_key_is_a_mistake_with_did_you_mean(text, place, meant):
    (problem,) = problems(text)
    assert f"{place}: unknown key; did you mean {meant!r}?" in problem


@pytest.mark.parametrize("text", ["[qqqqqq]\nadapter = 'hci0'", "[xyzzy]", "[gateway]\nqqqqqq = 1"])
def test_an_unknown_key_that_resembles_nothing_is_a_mistake_all_the_same(text):
    (problem,) = problems(text)
    assert problem.endswith("unknown key")


def test_all_mistakes_are_said_at_once():
    found = problems(
        "[gateway]\nlog = 'xml'\nidd = 'x'\n[uplink]\nbatch_points = 0\nuser = 'x'\n[sites.A]\n"
        "[nodes.tr-a3f1c2]\nsite = 'nowhere'\n[nodes.tr-0000b2]\n[blee]",
        TROTTOIR_NODES__X="1",
        TROTTOIR_UPLINK__BATCH_WAIT_S="0",
    )
    for named in ("gateway.log", "gateway.idd", "batch_points", "user and password_file", "sites.A", "found site 'nowhere'",
                  "nodes.tr-0000b2", "blee", "TROTTOIR_NODES__X", "TROTTOIR_UPLINK__BATCH_WAIT_S"):  # fmt: skip
        assert len([problem for problem in found if named in problem]) == 1, (named, found)
    assert len(found) == 10


@given(st.dictionaries(st.sampled_from(["gateway", "serial", "uplink", "sites", "nodes", "x"]), st.sampled_from(
    ["3", "[]", "[3]", "{}", "{a=1}", "{a={}}", "{a={placements=3}}", "{a={placements=[3]}}", "{a={placements=[{x=1}]}}",
     "{tr-a3f1c2={site=3}}", "{a={placements={a=1}}}", "'x'", "2026-01-01", "{ports=[]}", "{user=3}"])),
    st.sampled_from(["", "3", "x", "[1]"]))  # fmt: skip
def test_whatever_stands_where_a_section_should_be_it_is_said_and_nothing_breaks(sections, value):
    text = "".join(f"{name} = {content}\n" for name, content in sections.items())
    try:
        config.parse(text, "x", {"TROTTOIR_GATEWAY__ID": value, "TROTTOIR_SERIAL__PORTS": value})
    except ConfigError as error:
        assert error.problems


@pytest.mark.parametrize(
    "text",
    ["gateway = 3", "sites = 3\n[nodes.tr-a3f1c2]\nsite = 'a'", "nodes = 3", NODE + "placements = 3", NODE + "placements = [3]"],
)
def test_a_value_where_a_section_should_be_is_said_even_if_the_environment_wants_to_write_into_it(text):
    assert problems(text, TROTTOIR_GATEWAY__ID="gw-1")


def test_what_is_checked_cannot_be_changed_or_built_half():
    with pytest.raises(ValidationError):
        Config().uplink.batch_points = 7  # type: ignore[misc]
    for half in ({"user": "gw"}, {"password_file": Path("/secret")}):
        with pytest.raises(ValidationError):
            config.UplinkConfig(**half)


# -- the file


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "none.toml", {})
    assert caught.value.lines() == [f"{tmp_path / 'none.toml'}: No such file or directory"]


def test_a_file_in_another_encoding_names_the_line(tmp_path):
    path = tmp_path / "street.toml"
    path.write_bytes("[sites.a]\nname = 'Straße'\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        config.load(path, {})
    assert caught.value.line().startswith(f"{path}: ")
    assert "line 2" in caught.value.line()


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "street.toml"
    path.write_text("[gateway]\nid = 'gw-1'\n", encoding="utf-8-sig")
    assert config.load(path, {}).gateway.id == "gw-1"


# -- the environment


def test_the_environment_wins_over_the_file_and_the_file_over_defaults():
    found = parse(
        "[gateway]\nid = 'from-file'\nlog = 'json'",
        TROTTOIR_GATEWAY__ID="from-env", TROTTOIR_UPLINK__BATCH_POINTS="7", TROTTOIR_UPLINK__ENABLED="true",
        TROTTOIR_SERIAL__PORTS='["/dev/ttyUSB0"]', TROTTOIR_UPLINK__URL="http://127.0.0.1:9", TROTTOIR_HOME="x", HOME="y",
    )  # fmt: skip
    assert (found.gateway.id, found.gateway.log, found.uplink.batch_points) == ("from-env", "json", 7)
    assert (found.uplink.enabled, found.uplink.url, found.serial.ports) == (True, "http://127.0.0.1:9", ["/dev/ttyUSB0"])


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("TROTTOIR_UPLINK__BATCH_POINTS", "0", "TROTTOIR_UPLINK__BATCH_POINTS: uplink.batch_points: found 0"),
        ("TROTTOIR_UPLINK__BATCHPOINTS", "5", "did you mean 'batch_points'"),
        ("TROTTOIR_NODES__A", "{}", "found section 'nodes', expected gateway, serial, ble, uplink"),
        ("TROTTOIR_GATWAY__ID", "x", "found section 'gatway'"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(name, value, named):
    (problem,) = problems("", **{name: value})
    assert problem.startswith(f"environment {name}: ")
    assert named in problem


# -- secrets


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text("  geheim \n")
    path.chmod(0o600)
    return path


def password_of(path: Path) -> str | None:
    return config.UplinkConfig(user="gw", password_file=path).read_password()


def test_the_secret_comes_from_its_file(secret):
    assert password_of(secret) == "geheim"
    secret.chmod(0o400)
    assert password_of(secret) == "geheim"
    assert config.UplinkConfig().read_password() is None


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o610, 0o601, 0o644])
def test_a_secret_that_others_may_touch_is_refused_without_showing_it(secret, mode):
    secret.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        password_of(secret)
    assert f"found mode {mode:04o}, expected 0600" in caught.value.line()
    assert "geheim" not in caught.value.line()


@pytest.mark.parametrize("content", [b"", b" \n", b"gehei\xdf"])
def test_a_secret_that_is_none_is_refused(secret, content):
    secret.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        password_of(secret)
    assert str(secret) in caught.value.line()


def test_a_missing_secret_is_one_clear_line(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError) as caught:
            password_of(path)
        assert str(path) in caught.value.line()
        assert "\n" not in caught.value.line()


@pytest.mark.parametrize("url", ["http://gw:geheim@influx.city.de", "ftp://gw:geheim@h", "http://gw:ge@heim@h"])
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(url):
    (problem,) = problems(f"[uplink]\nurl = '{url}'")
    assert "uplink.url" in problem
    assert "heim" not in problem


def test_valid_from_may_be_any_whole_minute_of_any_offset():
    found = parse(MOVED + "site = 'bahnhof'\nvalid_from = 2026-05-01T05:30:00+05:30")
    assert found.site_of("tr-a3f1c2", int(datetime(2026, 5, 1, tzinfo=UTC).timestamp())) == "bahnhof"
    assert parse(MOVED + "site = 'bahnhof'\nvalid_from = 0001-01-01T00:00:00+01:00").site_of("tr-a3f1c2", 0) == "bahnhof"


@pytest.mark.parametrize(
    "page",
    ["8377", "127.0.0.1", "127.0.0.1:65536", "gateway.local:8377", "999.0.0.1:80", "[::g]:80", "http://127.0.0.1:80", "::1:80", ""],
)
def test_a_page_is_an_address_and_no_name(page):
    (problem,) = problems(f"[gateway]\npage = '{page}'")
    assert f"gateway.page: found '{page}', expected host:port such as 127.0.0.1:8377, or off" in problem


@pytest.mark.parametrize(
    ("page", "address"),
    [("off", None), ("127.0.0.1:0", ("127.0.0.1", 0)), ("localhost:80", ("localhost", 80)), ("[::1]:8377", ("::1", 8377))],
)
def test_where_the_page_listens(page, address):
    assert parse(f"[gateway]\npage = '{page}'").gateway.page_address == address


@pytest.mark.parametrize("url", ["http://h:99999999", "http://[::1", "http://x%zz:1", "http://:80", "https://h:-1"])
def test_an_address_of_a_server_that_nobody_can_open_is_said_here(url):
    (problem,) = problems(f"[uplink]\nurl = '{url}'")
    assert "expected http://host:port or https://host:port" in problem


def test_a_time_zone_that_nobody_knows_is_a_mistake():
    (problem,) = problems("[gateway]\ntimezone = 'Europe/Bielefeld'")
    assert "a time zone such as Europe/Berlin" in problem
    assert problems("[gateway]\ntimezone = '../etc/passwd'")


def test_a_systemd_credential_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("geheim\n")
    (tmp_path / "token").chmod(0o440)  # as systemd makes them
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert parse("[uplink]\ntoken_file = 'token'").uplink.read_token() == "geheim"
    with pytest.raises(ConfigError):
        parse(f"[uplink]\ntoken_file = '{tmp_path}/token'").uplink.read_token()  # a path of its own must be closed to others


@pytest.mark.parametrize("text", ["zwei\nzeilen", "tök en", "a\x07b", "a\tb"])
def test_a_token_that_cannot_be_a_header_is_said_and_not_repeated(tmp_path, text):
    secret = tmp_path / "token"
    secret.write_text(text, encoding="utf-8")
    secret.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        parse(f"[uplink]\ntoken_file = '{secret}'").uplink.read_token()
    assert str(secret) in caught.value.line()
    assert text not in caught.value.line()


def test_a_token_that_is_missing_is_said_once_though_it_also_reads(tmp_path):
    with pytest.raises(ConfigError) as caught:
        parse(f"[uplink]\ntoken_file = '{tmp_path}/none'").check_secrets()
    assert len(caught.value.problems) == 1


def test_what_is_no_utf8_is_named_as_a_byte(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b"[gateway]\nid = 'stra\xdfe'\n")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert caught.value.line("de") == f"{path}: Byte 0xdf in Zeile 2 gefunden, UTF-8 erwartet"
