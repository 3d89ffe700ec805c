"""The image that a person named: recorded, kept, and compared before each use."""

import os
import tomllib
from datetime import UTC, datetime

import pytest

from gateway.errors import PermissionDenied
from tools.flashing import pin as pins
from tools.flashing.interpreter import FirmwareError
from tools.standin import images


def now():
    return datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ESP32_GENERIC.bin"
    path.write_bytes(images.interpreter())
    return path


def test_it_is_recorded_and_kept(file, tmp_path):
    made = pins.pin(file, tmp_path / "state", now)
    record = tomllib.loads((tmp_path / "state" / "firmware" / "lock.toml").read_text())
    assert record["sha256"] == made.sha256
    assert (record["size"], record["chip"], record["version"], record["mpy"]) == (file.stat().st_size, "esp32", "1.24.1", "6.3")
    file.unlink()
    found, image = pins.pinned(tmp_path / "state")
    assert found == made and image.sha256 == made.sha256


def test_a_dry_run_writes_nothing(file, tmp_path):
    assert pins.pin(file, tmp_path / "state", now, is_dry=True).version == "1.24.1"
    assert not (tmp_path / "state").exists()


def test_what_was_pinned_last_holds(file, tmp_path):
    pins.pin(file, tmp_path, now)
    file.write_bytes(images.interpreter(seed=2))
    second = pins.pin(file, tmp_path, now)
    assert pins.pinned(tmp_path)[0] == second


def test_a_bad_file_changes_nothing(file, tmp_path):
    first = pins.pin(file, tmp_path, now)
    file.write_bytes(b"\x7fELF")
    with pytest.raises(FirmwareError):
        pins.pin(file, tmp_path, now)
    assert pins.pinned(tmp_path)[0] == first


def test_without_a_pin_the_official_page_is_named(tmp_path):
    with pytest.raises(FirmwareError) as caught:
        pins.pinned(tmp_path)
    assert (caught.value.key, caught.value.exit_code) == ("firmware-none", 3)
    assert pins.download_page() in caught.value.line("de")


def test_another_file_than_the_one_that_was_pinned_is_refused(file, tmp_path):
    made = pins.pin(file, tmp_path, now)
    made.path.write_bytes(images.interpreter(seed=9))
    with pytest.raises(FirmwareError) as caught:
        pins.pinned(tmp_path)
    assert caught.value.key == "firmware-changed"


@pytest.mark.parametrize(
    "record",
    [
        "",
        "file = 3",
        "\xff",
        'file = "../../x"\nsha256 = "00"\nsize = 1\nversion = "1"\nmpy = "6"\n',
        'file = "x"\nsha256 = 5\nsize = 1\nversion = "1"\nmpy = "6"\n',
    ],
)
def test_a_record_that_is_none(record, tmp_path):
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "lock.toml").write_text(record, encoding="latin-1")
    with pytest.raises(FirmwareError) as caught:
        pins.pinned(tmp_path)
    assert caught.value.key == "firmware-lock"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FirmwareError) as caught:
        pins.pin(tmp_path / "no.bin", tmp_path)
    assert caught.value.key == "firmware-unread"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(file, tmp_path):
    (tmp_path / "state").mkdir(mode=0o500)
    with pytest.raises(PermissionDenied):
        pins.pin(file, tmp_path / "state", now)
