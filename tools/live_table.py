"""The gateway's view as a table for a terminal: every number with its coverage."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from gateway.view import ClimateView, Count, NodeView, OutboxView, View
from tools.terminal import decimal, percent, printable, shared, t

MARKS = {"good": "●", "fault": "◆", "quiet": "◐", "silent": "○", "never": "·"}  # shapes, since colour alone says nothing


def table_of(view: View, page_url: str) -> Table:
    """One row a node. `page_url` is empty where there is no page."""
    table = Table(caption=Text(printable(_caption(view, page_url))), caption_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("site", "node"):
        table.add_column(t(f"table.{name}"))
    for name in ("minute", "quarter", "today", "climate"):
        table.add_column(t(f"table.{name}"), justify="right")
    table.add_column(t("table.state"))
    for node in view["nodes"]:
        table.add_row(*[Text(printable(cell)) for cell in _cells(node)])  # no markup in a name
    return table


def _cells(node: NodeView) -> list[str]:
    state = node["health"]["state"]
    return [
        node["site_name"] or node["site"],
        f"{node['node']} {node['name']}".strip(),
        _count(node["minute"]),
        _count(node["quarter"]),
        _count(node["today"]),
        _climate(node["climate"]),
        f"{MARKS[state]} {t('table.' + state)}",
    ]


def _count(count: Count | None) -> str:
    if count is None or not count["coverage"]:
        return t("table.nothing")
    return f"{count['ab']}→ {count['ba']}← ({percent(count['coverage'])})"


def _climate(climate: ClimateView | None) -> str:
    if climate is None:
        return t("table.nothing")
    return f"{decimal(climate['temperature_c'], 1)} °C {decimal(climate['humidity_pct'])} %"


def _caption(view: View, page_url: str) -> str:
    lines = [] if view["nodes"] else [t("table.empty")]
    lines.append(_outbox(view["outbox"]))
    if page_url:
        lines.append(t("table.page", page=page_url))
    return "\n".join(lines)


def _outbox(outbox: OutboxView) -> str:
    if outbox["api"] is None:
        return t("table.off")
    text = t("table.outbox", waiting=outbox["waiting"], dead=outbox["dead_letters"])
    return f"{text}\n{t('table.trouble', reason=outbox['trouble'][shared.language])}" if outbox["trouble"] else text
