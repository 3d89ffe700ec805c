"""The few errors a user can meet. Each says what was found, what was expected and what to do, and carries an exit code.

Errors of a protocol (`streetwire.WireError`) never get here: they are counted where the bytes arrive.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_CHECK_FAILED = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_DEVICE = 4
EXIT_PERMISSION = 5
EXIT_UPLINK_AUTHORISATION = 7
EXIT_UPLINK_MISSING = 8
EXIT_UPLINK_UNREACHABLE = 9
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class TrottoirError(Exception):
    """`found` what stood there, `expected` what should have, `action` what the reader can do about it."""

    exit_code = EXIT_BUG

    def __init__(self, what: str, *, found: object = None, expected: str = "", action: str = "") -> None:
        self.what = what
        self.found = found
        self.expected = expected
        self.action = action
        super().__init__(self.line())

    def line(self) -> str:
        """One line for a person."""
        text = self.what
        if self.found is not None:
            text += f": found {self.found}"
        if self.expected:
            text += f", expected {self.expected}"
        return f"{text}. {self.action}" if self.action else text


class ConfigError(TrottoirError):
    """One or more wrong values; `problems` has a line for each."""

    exit_code = EXIT_ENVIRONMENT

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class StoreError(TrottoirError):
    """The gateway's own disk does not take what it must keep."""

    exit_code = EXIT_ENVIRONMENT


class DeviceError(TrottoirError):
    """A port that is missing, busy or gone."""

    exit_code = EXIT_DEVICE

    def __init__(self, what: str, *, is_busy: bool = False, found: object = None, action: str = "") -> None:
        self.is_busy = is_busy
        super().__init__(what, found=found, action=action)


class PermissionDenied(TrottoirError):
    """The operating system says no."""

    exit_code = EXIT_PERMISSION
