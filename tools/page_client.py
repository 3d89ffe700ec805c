"""Asks a running gateway through its own page."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from gateway.config import Config

TIMEOUT_S = 3.0


def ask(settings: Config) -> dict[str, Any] | None:
    """The state (`gateway.view.View`) of the gateway with this configuration; None where its page does not answer."""
    address = settings.gateway.page_address
    if address is None:
        return None
    if address.is_everybodys:
        address = address._replace(host="::1" if address.is_ipv6 else "127.0.0.1")
    pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)
    try:
        answer = pool.request("GET", address.url() + "state", redirect=False)
        state = json.loads(answer.data)
        return state if state["gateway"]["id"] == settings.gateway.id else None
    except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError, RecursionError):
        return None
    finally:
        pool.clear()
