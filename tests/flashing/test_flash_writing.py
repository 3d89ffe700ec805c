"""esptool, listened to: how far it is, and what its words mean in one line of ours."""

import pytest

from gateway.errors import DeviceError, PermissionDenied
from tools.flashing.errors import FlashError
from tools.flashing.writing import Heard, error_of, listen

WEIGHTS = {0x200000: 0.5, 0x10000: 0.3, 0x8000: 0.05, 0x1000: 0.15}


def test_the_share_grows_file_by_file():
    heard = Heard()
    said = [
        "Connected to ESP32 on /dev/x:", "Chip type:          ESP32-D0WD-V3 (revision v3.1)", "MAC:       24:0a:c4:a3:f1:c2",
        "Writing 'f' at 0x00200000...", "Writing at 0x00204000 ━━━╸    50.0% 16.00kB/32.00kB [0s] ", "Wrote 3 bytes at 0x00200000",
        "Writing at 0x00011000   10% 1kB/10kB", "Skipping 'x' at 0x00008000", "Writing at 0x00002000 ━ 100.0% 3kB/3kB",
    ]  # fmt: skip
    done, shares = 0.0, []
    for line in said:
        done = max(done, listen(line, heard, WEIGHTS, done))
        shares.append(round(done, 3))
    assert shares == [0, 0, 0, 0, 0.25, 0.25, 0.53, 0.8, 1.0]
    assert (heard.chip, heard.mac, heard.is_connected) == ("ESP32-D0WD-V3", "24:0a:c4:a3:f1:c2", True)


def test_what_it_says_is_bounded():
    heard = Heard()
    for n in range(2000):
        listen(f"line {n}", heard, WEIGHTS, 0)
    assert len(heard.lines) <= 400 and heard.lines[-1] == "line 1999"


FATAL = "A fatal error occurred: "
OPENING = FATAL + "Could not open it, the port is busy or doesn't exist.\n"


@pytest.mark.parametrize(
    ("said", "is_connected", "kind", "key"),
    [
        (FATAL + "This chip is ESP32-S3, not ESP32. Wrong chip argument?", False, FlashError, "flash-chip"),
        (FATAL + "Failed to connect to ESP32: No serial data received.", False, FlashError, "flash-no-bootloader"),
        (FATAL + "Failed to connect to ESP32: Wrong boot mode detected (0x13)!", False, FlashError, "flash-no-bootloader"),
        (
            FATAL + "Failed to connect to ESP32: Invalid head of packet (0x08): Possible serial noise or corruption.",
            False,
            FlashError,
            "flash-nonsense",
        ),
        (FATAL + "No serial data received.", True, FlashError, "flash-stalled"),
        (FATAL + "The chip stopped responding.", True, FlashError, "flash-stalled"),
        (FATAL + "MD5 of file does not match data in flash!", True, FlashError, "flash-verify"),
        (FATAL + "File 'x' doesn't fit in the available flash", True, FlashError, "flash-small"),
        (
            "A serial exception error occurred: device reports readiness to read but returned no data ",
            True,
            DeviceError,
            "port-lost",
        ),
        (OPENING + "([Errno 2] could not open port /dev/x: [Errno 2] No such file)", False, DeviceError, "port-missing"),
        (OPENING + "([Errno 13] could not open port /dev/x: [Errno 13] Permission denied)", False, PermissionDenied, "port-denied"),
        (OPENING + "([Errno 11] Could not exclusively lock port /dev/x)", False, DeviceError, "port-busy"),
        (
            OPENING + "(could not open port 'COM5': PermissionError(13, 'Zugriff verweigert', None, 5))",
            False,
            DeviceError,
            "port-busy",
        ),
        (
            "Could not open COM9, ...\n(could not open port 'COM9': FileNotFoundError(2, 'Datei nicht gefunden', None, 2))",
            False,
            DeviceError,
            "port-missing",
        ),
        (
            "WriteFile failed (PermissionError(13, 'Das Ger\u00e4t erkennt den Befehl nicht.', None, 22))",
            True,
            DeviceError,
            "port-lost",
        ),
        ("Traceback\nValueError: nobody has seen this", True, FlashError, "flash-esptool"),
        ("", False, FlashError, "flash-esptool"),
    ],
)
def test_one_clear_line_for_what_goes_wrong(said, is_connected, kind, key):
    error = error_of(said, is_connected, "/dev/x")
    assert (type(error), error.key) == (kind, key)
    assert "\n" not in error.line("en") + error.line("de") and "/dev/x" in error.line("de")


def test_the_other_chip_is_named():
    assert "ESP32-C3" in error_of("A fatal error occurred: This chip is ESP32-C3, not ESP32.", False, "x").line("de")
