"""tools.registry.file: all or nothing, and whose file it was it stays. tools.registry.moment: what a technician calls a time."""

from __future__ import annotations

import os
import stat

import pytest

from gateway.errors import ConfigError, PermissionDenied
from tools.registry import file as file_module
from tools.registry import moment
from tools.registry.file import ConfigFile
from tools.terminal import UsageError

NOON = 1_777_629_600  # 2026-05-01T10:00:00Z, noon in Berlin


def test_rights_and_owner_stay(tmp_path):
    path = tmp_path / "t.toml"
    path.write_text("# a\n", encoding="utf-8")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()
    ConfigFile(path).write("# b\n")
    after = path.stat()
    assert path.read_text(encoding="utf-8") == "# b\n"
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o640)
    assert [found.name for found in tmp_path.iterdir()] == ["t.toml"]


def test_a_new_file_may_be_read_by_all(tmp_path):
    ConfigFile(tmp_path / "t.toml").write("# b\n")
    assert stat.S_IMODE((tmp_path / "t.toml").stat().st_mode) == 0o644


def test_behind_a_link_the_file_is_changed_and_the_link_stays(tmp_path):
    (tmp_path / "real.toml").write_text("", encoding="utf-8")
    (tmp_path / "t.toml").symlink_to("real.toml")
    ConfigFile(tmp_path / "t.toml").write("# b\n")
    assert (tmp_path / "t.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text(encoding="utf-8") == "# b\n"


def test_a_byte_order_mark_and_line_ends_stay(tmp_path):
    path = tmp_path / "t.toml"
    path.write_bytes("\ufeff# ä\r\n".encode())
    file = ConfigFile(path)
    assert file.text == "# ä\r\n"
    file.write(file.text + "# b\r\n")
    assert path.read_bytes() == "\ufeff# ä\r\n# b\r\n".encode()


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "t.toml"
    path.write_text("# a\n", encoding="utf-8")
    file = ConfigFile(path)
    path.write_text("# theirs\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        file.write("# ours\n")
    assert path.read_text(encoding="utf-8") == "# theirs\n"
    assert [found.name for found in tmp_path.iterdir()] == ["t.toml"]


def test_where_the_disk_does_not_do_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "t.toml"
    path.write_text("# a\n", encoding="utf-8")
    file = ConfigFile(path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_module.os, "fsync", full)
    with pytest.raises(ConfigError):
        file.write("# b\n")
    assert path.read_text(encoding="utf-8") == "# a\n"
    assert [found.name for found in tmp_path.iterdir()] == ["t.toml"]


def test_what_a_cut_has_left_is_in_nobodys_way(tmp_path):
    (tmp_path / "t.toml.new").write_text("half", encoding="utf-8")
    ConfigFile(tmp_path / "t.toml").write("# b\n")
    assert (tmp_path / "t.toml").read_text(encoding="utf-8") == "# b\n"


def test_somebody_elses_file_is_not_taken_over(tmp_path, monkeypatch):
    path = tmp_path / "t.toml"
    path.write_text("# a\n", encoding="utf-8")

    def denied(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(file_module.os, "fchown", denied)
    monkeypatch.setattr(file_module.ConfigFile, "_as_before", lambda _self, handle: file_module.os.fchown(handle, 0, 0))
    with pytest.raises(PermissionDenied):
        ConfigFile(path).write("# b\n")
    assert path.read_text(encoding="utf-8") == "# a\n"


@pytest.mark.parametrize(
    ("text", "at_s"),
    [
        ("12:00", NOON),
        ("9:05", NOON - 175 * 60),
        ("2026-05-01 12:00", NOON),
        ("2026-05-01T12:00", NOON),
        ("2026-05-01T10:00Z", NOON),
        ("2026-05-01T10:00:00+00:00", NOON),
        ("2026-01-01 12:00", NOON - 120 * 86_400 + 3600),
    ],
)
def test_a_moment_is_local_unless_it_says_otherwise(text, at_s):
    assert moment.parse(text, NOON + 7777, "Europe/Berlin") == at_s


NO_MINUTES = ["", "noon", "12:00:30", "25:00", "2026-05-01", "2026", "2026-05-01T10:00:00.5Z", "1:2", "9" * 40, "0001-01-01T00:00Z"]


@pytest.mark.parametrize("text", NO_MINUTES)
def test_what_is_no_whole_minute_is_refused(text):
    with pytest.raises(UsageError):
        moment.parse(text, NOON, "Europe/Berlin")


@pytest.mark.parametrize("text", ["2026-10-25 02:30", "2026-10-25 02:00", "2026-10-25T02:59"])
def test_a_minute_that_is_there_twice_is_asked_for_with_its_offset(text):
    with pytest.raises(UsageError) as caught:
        moment.parse(text, NOON, "Europe/Berlin")
    told = caught.value.line("de")
    assert text.replace(" ", "T") + "+02:00" in told
    assert text.replace(" ", "T") + "+01:00" in told
    assert "\n" not in told
    first, second = (moment.parse(text + offset, NOON, "Europe/Berlin") for offset in ("+02:00", "+01:00"))
    assert second - first == 3600


def test_a_minute_that_the_clocks_leave_out_is_refused():
    with pytest.raises(UsageError) as caught:
        moment.parse("2026-03-29 02:30", NOON, "Europe/Berlin")
    assert "clocks" in caught.value.line("en")
    assert moment.parse("2026-03-29 03:00", NOON, "Europe/Berlin") == moment.parse("2026-03-29 01:59", NOON, "Europe/Berlin") + 60


def test_a_file_of_another_encoding_is_refused_and_stays_as_it_is(tmp_path):
    path = tmp_path / "trottoir.toml"
    path.write_bytes(b"# well\n# Stra\xdfe\n")
    with pytest.raises(ConfigError, match="0xdf") as caught:
        ConfigFile(path)
    assert "2" in caught.value.problems[0].line("de")
    assert path.read_bytes() == b"# well\n# Stra\xdfe\n"
