"""Asks a running gateway through its own page."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from gateway.config import Config

TIMEOUT_S = 3.0
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  who listens to everybody is asked on loopback


def ask(settings: Config) -> dict[str, Any] | None:
    """The state (`gateway.view.View`) of the gateway with this configuration; None where its page does not answer."""
    address = settings.gateway.page_address
    if address is None:
        return None
    host = LOOPBACK_OF.get(address[0], address[0])
    shown = f"[{host}]" if ":" in host else host
    pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)
    try:
        answer = pool.request("GET", f"http://{shown}:{address[1]}/state", redirect=False)
        state = json.loads(answer.data)
        return state if state["gateway"]["id"] == settings.gateway.id else None
    except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError, RecursionError):
        return None
    finally:
        pool.clear()
