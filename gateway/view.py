"""What the page and the terminal show, as one plain document. Pure: everything comes in as an argument.

The shapes below are the page's contract: `GET /state` and the event `state` are a `View` as JSON. Times are unix seconds,
coverage is the share of an interval that was really counted (0 to 1). Null means unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from zoneinfo import ZoneInfo

import streetwire
from gateway.audits import Audited
from gateway.model import PERIOD_S, Q_CLIMATE_IMPLAUSIBLE, Series
from gateway.results import failed
from gateway.shown import ClimateMean, Counted, NodeNow, OutboxState, Trouble
from gateway.words import LANGUAGES, Language

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.pipeline import Live

QUARTER_S = 900
GOOD_S = 60  # heard within
SKEW_S = 5  # what was heard later than now was heard by another clock
UNFETCHED_S = 7200  # the minutes of a node without a cable come once an hour, and its adverts tell how many people are in them
RUNNING_S = 90  # a live total that is older says nothing of the running minute
# Of a node's own health: with any of these people pass uncounted, or their counts may not outlast a power cut.
FAULTS = sum(streetwire.HEALTH[name] for name in ("counter_silent", "counter_garbled", "blocked", "log_failed"))

State = Literal["good", "fault", "quiet", "silent", "never"]


class Count(TypedDict):
    ab: int
    ba: int
    coverage: float


class Minute(Count):
    from_s: int


class Open(TypedDict):
    from_s: int
    as_of_s: int
    ab: int
    ba: int


class ClimateView(TypedDict):
    at_s: int
    temperature_c: float
    humidity_pct: float
    is_implausible: bool


class Health(TypedDict):
    """`state`: good (heard within a minute), fault (heard too, and says itself that it cannot count), quiet, silent (a gap is
    open), never (not heard since the gateway started)."""

    state: State
    heard_s: int | None
    link: str | None
    uptime_s: int | None
    boot: int | None
    resets: int | None
    frames_lost: int | None
    sensor_faults: int | None
    heap_free_b: int | None
    battery_mv: int | None
    firmware: str | None
    kit: str | None
    is_simulated: bool
    silent_since_s: int | None


class TestView(TypedDict):
    """The newest self-test: which checks found something wrong."""

    at_s: int
    failed: list[str]


class AimView(TypedDict):
    """The newest aim: counted in both directions, of how many walks where somebody has kept count."""

    at_s: int
    counted: int
    walked: int | None


class NodeView(TypedDict):
    """A node that is not retired; `name` is for people, and may be empty."""

    node: str
    name: str
    site: str
    site_name: str
    a_to_b: str
    minute: Minute | None
    open: Open | None
    quarter: Count | None
    today: Count | None
    climate: ClimateView | None
    test: TestView | None
    aim: AimView | None
    health: Health


class OutboxView(TypedDict):
    """`api` is null while the uplink is off; `trouble` has the reason in every language."""

    api: str | None
    waiting: int
    oldest_s: int | None
    dead_letters: int
    trouble: dict[Language, str] | None
    trouble_since_s: int | None
    next_try_s: int | None


class GatewayView(TypedDict):
    id: str
    version: str
    now_s: int
    zone: str
    is_simulated: bool


class AuditView(TypedDict):
    """When the server was read back last, how many points were compared, and how many of them it lacked."""

    at_s: int
    checked: int
    missing: int


class View(TypedDict):
    """`audit` is null until something has been read back from the server."""

    gateway: GatewayView
    nodes: list[NodeView]
    outbox: OutboxView
    audit: AuditView | None
    disk_free_mb: int


@dataclass(frozen=True, slots=True)
class Now:
    """What only the running gateway knows, as of `now_s`."""

    now_s: int
    nodes: Sequence[NodeNow]
    windows: Sequence[Live]
    trouble: Trouble | None
    audited: Audited | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """What the store knows; `today` begins at local midnight. `tests` and `aims` are the newest findings of each node."""

    today: Mapping[Series, Counted]
    newest: Mapping[Series, Counted]
    climate: Mapping[str, ClimateMean]
    outbox: OutboxState
    disk_free_mb: int
    tests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    aims: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def day_start(now_s: int, zone: str) -> int:
    """Midnight before `now_s` in that time zone."""
    local = datetime.fromtimestamp(now_s, ZoneInfo(zone))
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())


def assemble(config: Config, version: str, now: Now, books: Books) -> View:
    heard = {node.node: node for node in now.nodes}
    at_work = [name for name, node in config.nodes.items() if not node.is_retired(now.now_s)]
    names = sorted(at_work, key=lambda name: (config.site_of(name, now.now_s) or "", name))
    nodes = [_node(config, name, heard.get(name), now, books) for name in names]
    return {
        "gateway": {
            "id": config.gateway.id,
            "version": version,
            "now_s": now.now_s,
            "zone": config.gateway.timezone,
            "is_simulated": any(node["health"]["is_simulated"] for node in nodes),
        },
        "nodes": nodes,
        "outbox": {
            "api": config.uplink.api if config.uplink.enabled else None,
            "waiting": books.outbox.waiting,
            "oldest_s": books.outbox.oldest_s or None,
            "dead_letters": books.outbox.dead_letters,
            "trouble": {language: now.trouble.line(language) for language in LANGUAGES} if now.trouble else None,
            "trouble_since_s": now.trouble.since_s if now.trouble else None,
            "next_try_s": now.trouble.next_try_s if now.trouble else None,
        },
        "audit": _audit(now.audited),
        "disk_free_mb": books.disk_free_mb,
    }


def _audit(found: Audited | None) -> AuditView | None:
    if found is None or (found.unread and not found.checked):
        return None
    return {"at_s": found.at_s, "checked": found.checked, "missing": found.missing + found.lasting}


def _node(config: Config, name: str, node: NodeNow | None, now: Now, books: Books) -> NodeView:
    site = config.site_of(name, now.now_s) or ""
    about = config.sites.get(site)
    series = _series(name, site, books)
    newest = books.newest.get(series) if series else None
    today = books.today.get(series) if series else None
    climate = books.climate.get(name)
    return {
        "node": name,
        "name": config.nodes[name].name,
        "site": site,
        "site_name": about.name if about else "",
        "a_to_b": about.a_to_b if about else "",
        "minute": _minute(newest) if newest else None,
        "open": _open(node, newest, now.now_s) if node else None,
        "quarter": _quarter(series, now) if series else None,
        "today": _count(today, now.now_s // PERIOD_S * PERIOD_S - today.from_s) if today else None,
        "climate": _climate(climate) if climate else None,
        "test": _test(books.tests[name]) if name in books.tests else None,
        "aim": _aim(books.aims[name]) if name in books.aims else None,
        "health": _health(node, now.now_s),
    }


def _series(name: str, site: str, books: Books) -> Series | None:
    # Where the node is now: what it counted elsewhere belongs there. With several sensors, the one that counted last.
    here = [series for series in (*books.newest, *books.today) if series.node == name and series.site == site]
    return max(here, key=lambda series: books.newest[series].from_s if series in books.newest else 0, default=None)


def _count(counted: Counted, length_s: int) -> Count:
    coverage = min(1.0, counted.covered_s / length_s) if length_s > 0 else 0.0
    return {"ab": counted.ab, "ba": counted.ba, "coverage": round(coverage, 4)}


def _minute(counted: Counted) -> Minute:
    return {"from_s": counted.from_s, **_count(counted, PERIOD_S)}


def _quarter(series: Series, now: Now) -> Count | None:
    for live in now.windows:
        if live.series == series:
            ab, ba, coverage = live.windows[QUARTER_S]
            return {"ab": ab, "ba": ba, "coverage": round(coverage, 4)} if coverage else None
    return None


def _open(node: NodeNow, newest: Counted | None, now_s: int) -> Open | None:
    # Since the last record, as long as that is the minute before this one: with a backlog under way, or before the first
    # record, live totals say nothing about this minute. Of a node without a cable they tell of all that has not been fetched.
    live_s = node.heard.live_ms // 1000 if node.heard else 0
    from_s = node.last_bin_s + PERIOD_S
    as_of_s = max(live_s, from_s)  # a record that came after the live message has closed everything before
    if newest is not None and from_s <= newest.from_s:  # its record was booked this very moment
        return None
    most_s = UNFETCHED_S if node.heard and node.heard.link.startswith("ble:") else 2 * PERIOD_S
    if not live_s or not node.last_bin_s or not -SKEW_S <= now_s - as_of_s <= RUNNING_S or as_of_s - from_s >= most_s:
        return None
    return {"from_s": from_s, "as_of_s": as_of_s, "ab": node.open_ab, "ba": node.open_ba}


def _climate(climate: ClimateMean) -> ClimateView:
    return {
        "at_s": climate.from_s + PERIOD_S,
        "temperature_c": climate.temperature_c,
        "humidity_pct": climate.humidity_pct,
        "is_implausible": bool(climate.q & Q_CLIMATE_IMPLAUSIBLE),
    }


def _test(told: Mapping[str, Any]) -> TestView:
    checks = told.get("checks")
    return {"at_s": told["time"], "failed": failed(checks) if isinstance(checks, dict) else []}


def _aim(told: Mapping[str, Any]) -> AimView:
    return {"at_s": told["time"], "counted": _both(told.get("counted")) or 0, "walked": _both(told.get("walked"))}


def _both(directions: object) -> int | None:
    return sum(n for n in directions.values() if isinstance(n, int)) if isinstance(directions, dict) else None


def _health(node: NodeNow | None, now_s: int) -> Health:
    heard = node.heard if node else None
    passport = node.passport if node else None
    values = heard.health if heard else {}

    def number(name: str) -> int | None:
        value = values.get(name)
        return value if isinstance(value, int) else None

    return {
        "state": _state(node, now_s),
        "heard_s": heard.at_ms // 1000 if heard else None,
        "link": heard.link if heard else None,
        "uptime_s": number("uptime_s"),
        "boot": number("boot"),
        "resets": number("resets"),
        "frames_lost": number("frames_lost"),
        "sensor_faults": number("sensor_faults"),
        "heap_free_b": number("heap_free_b"),
        "battery_mv": number("battery_mv"),
        "firmware": passport.firmware if passport else None,
        "kit": passport.kit if passport else None,
        "is_simulated": bool(passport and passport.is_simulated),
        "silent_since_s": node.silent_since_s or None if node else None,
    }


def _state(node: NodeNow | None, now_s: int) -> State:
    if node is not None and node.silent_since_s:
        return "silent"
    if node is None or node.heard is None:
        return "never"
    if not -SKEW_S <= now_s - node.heard.at_ms // 1000 <= GOOD_S:
        return "quiet"
    told = node.heard.health.get("health")
    return "fault" if isinstance(told, int) and told & FAULTS else "good"
