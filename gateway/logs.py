"""Structured logs on stderr: key=value for people, JSON lines for journals. One line an event, bounded."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

MAX_VALUE = 300  # characters of one value; a hostile name or a server's page does not fill the disk


def set_up(form: str, verbose: bool = False) -> None:
    """`form` is `text` or `json`. Call once, before the first line."""
    last: Any = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _bound_values,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def _bound_values(logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {key: value[:MAX_VALUE] if isinstance(value, str) else value for key, value in event.items()}
