"""Questions to whoever sits at the terminal: yes or no, and a passphrase that nobody sees."""

from __future__ import annotations

import getpass
import sys

from tools.terminal import UsageError, printable, t

_YES = ("y", "yes", "j", "ja")


def is_answerable() -> bool:
    """Whether there is anybody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str) -> bool:
    """Anything but a clear yes is a no."""
    print(printable(question), end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in _YES


def passphrase(*, twice: bool) -> str:
    """From the terminal, without being shown. UsageError where it is empty, or not the same `twice`."""
    found = getpass.getpass(t("backup.passphrase"))
    if not found:
        raise UsageError("passphrase-empty")
    if twice and getpass.getpass(t("backup.passphrase-again")) != found:
        raise UsageError("passphrase-differs")
    return found
