"""Minutes as a server holds them, and the rolling results that follow, added up one by one."""

from gateway.uplink.base import Row

TAGS = {"site": "s", "node": "tr-51a000", "sensor": "radar"}
GRIDS = {"1m": (60, 60), "5m": (300, 60), "15m": (900, 60), "1h": (3600, 300), "24h": (86_400, 900)}


def minute(start_s: int, ab: int, ba: int, covered_s: int = 60, rev: int = 0, node: str = TAGS["node"]) -> Row:
    """A point of `passages`."""
    fields: dict[str, object] = {"count": ab + ba, "count_ab": ab, "count_ba": ba, "coverage": round(covered_s / 60, 4), "rev": rev}
    return Row({**TAGS, "node": node}, start_s, fields)


def results_of(minutes: list[Row]) -> list[Row]:
    """All results of one node that end with its newest minute or earlier."""
    results: list[Row] = []
    if not minutes:
        return results
    first_s, last_s = (edge(row.time_s for row in minutes) + 60 for edge in (min, max))
    for window, (length_s, every_s) in GRIDS.items():
        for end_s in range(first_s, last_s + 1, 60):
            held = [row for row in minutes if end_s - length_s <= row.time_s < end_s]
            if held and end_s % every_s == 0:
                results.append(_result(window, length_s, end_s, held))
    return results


def _result(window: str, length_s: int, end_s: int, held: list[Row]) -> Row:
    def total(name: str) -> float:
        return sum(float(str(row.fields[name])) for row in held)

    people = {name: int(total(name)) for name in ("count", "count_ab", "count_ba")}
    coverage = round(total("coverage") * 60 / length_s, 6)
    return Row({**held[0].tags, "window": window}, end_s, {**people, "coverage": coverage, "rev": int(total("rev")) + len(held)})
