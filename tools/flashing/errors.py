"""What can go wrong with one board. A leaf."""

from __future__ import annotations

from gateway.errors import TrottoirError

EXIT_FLASH_FAILED = 6


class FlashError(TrottoirError):
    """Writing a board or looking at what was written has failed."""

    exit_code = EXIT_FLASH_FAILED


class StoppedError(TrottoirError):
    """Whoever sits at the bench has stopped it."""

    exit_code = 130
