"""Structured logs on stderr: key=value for people, JSON lines for journals. One line an event, bounded."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

MAX_VALUE = 300  # characters of one value; a hostile name or a server's page does not fill the disk


def set_up(form: str, verbose: bool = False, stream: TextIO | None = None, least: int = logging.INFO) -> None:
    """`form` is `text` or `json`; `verbose` adds a line for every minute and batch, else lines below the level `least` are left
    out. Call once, before the first line."""
    last: Any = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    steps: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _bound_values,
        last,
    ]
    structlog.configure(
        processors=steps,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else least),
        logger_factory=structlog.PrintLoggerFactory(file=stream or sys.stderr),
    )


def _bound_values(logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {key: _bounded(value) for key, value in event.items()}


def _bounded(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):  # what came from outside must not begin a new line or speak to the terminal
        cut = value[:MAX_VALUE]
        return cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)[:MAX_VALUE]
    text = repr(value)
    return value if len(text) <= MAX_VALUE else text[:MAX_VALUE]
