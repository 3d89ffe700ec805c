"""The few errors a user can meet. Each says what was found, what was expected and what to do, and carries an exit code.

What is said stands in the message catalogue, under the section `error`; the error carries the key and the data.
Errors of a protocol (`streetwire.WireError`) never get here: they are counted where the bytes arrive.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.words import Language, Say

EXIT_OK = 0
EXIT_CHECK_FAILED = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_DEVICE = 4
EXIT_PERMISSION = 5
EXIT_FLASH = 6
EXIT_UPLINK_AUTHORISATION = 7
EXIT_UPLINK_MISSING = 8
EXIT_UPLINK_UNREACHABLE = 9
EXIT_NO_ADAPTER = 10
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class TrottoirError(Exception):
    """`key` names the message `error.<key>`, `data` its values."""

    exit_code = EXIT_BUG

    def __init__(self, key: str, **data: object) -> None:
        self.key = key
        self.data = data
        super().__init__(self.line())

    @property
    def message(self) -> Say:
        """What to tell a person, for whoever does not know the language yet."""
        return Say(f"error.{self.key}", self.data)

    def line(self, language: Language = "en") -> str:
        """One line for a person."""
        return self.message.line(language)


class ConfigError(TrottoirError):
    """One or more wrong values; `problems` has a message for each."""

    exit_code = EXIT_ENVIRONMENT

    def __init__(self, problems: Sequence[Say]) -> None:
        self.problems = list(problems)
        super().__init__("config")

    def lines(self, language: Language = "en") -> list[str]:
        return [problem.line(language) for problem in self.problems]

    def line(self, language: Language = "en") -> str:
        return "\n".join(self.lines(language))


class StoreError(TrottoirError):
    """The gateway's own disk does not take what it must keep."""

    exit_code = EXIT_ENVIRONMENT


class StoreDamaged(StoreError):
    """The store's file is not what was written to it: it has to be made anew from what is whole."""


class DeviceError(TrottoirError):
    """A port that is missing, busy or gone."""

    exit_code = EXIT_DEVICE

    @property
    def is_busy(self) -> bool:
        return self.key == "port-busy"


class BundleError(TrottoirError):
    """A bundle of firmware that is not signed by whom we trust, or not whole."""

    exit_code = EXIT_FLASH


class AdapterError(TrottoirError):
    """No Bluetooth adapter that does as it is asked."""

    exit_code = EXIT_NO_ADAPTER


class PermissionDenied(TrottoirError):
    """The operating system says no."""

    exit_code = EXIT_PERMISSION
