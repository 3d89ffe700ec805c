"""Frozen types that pass between the stages: what a driver received, what the session decided, what a server gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import streetwire

PERIOD_S = 60

# Quality bits of the database schema; `schema.toml` says what each means to a reader.
Q_PARTIAL = 1
Q_NODE_RESET = 2
Q_TIME_HELD = 4
Q_SATURATED = 8
Q_BLOCKED = 16
Q_CLIMATE_IMPLAUSIBLE = 32
Q_UNCALIBRATED = 64
Q_SIMULATED = 128
Q_THINNED = 256
Q_TIME_UNKNOWN = 1024


def node_name(number: int) -> str:
    """A node's number on the wire -> its name everywhere else, e.g. `tr-a3f1c2`."""
    return f"tr-{number:06x}"


def node_number(name: str) -> int:
    """The other way."""
    return int(name.removeprefix("tr-"), 16)


@dataclass(frozen=True, slots=True)
class Received:
    """A payload as it came off a link. `received_ms` is UTC in milliseconds; `steady_ms` is of a clock that nobody sets, and
    the same as UTC where there is no other."""

    payload: bytes
    link: str
    received_ms: int
    steady_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Advertised:
    """An advert that was believed: of a listed node, under its key, newer than all heard before. `key_id` tells one key of
    a node from the next; clocks as in Received."""

    node: int
    key_id: int
    advert: streetwire.Advert
    link: str
    rssi_dbm: int
    received_ms: int
    steady_ms: int | None = None


# -- what the session decides (effects), in the order in which they are carried out


@dataclass(frozen=True, slots=True)
class Passport:
    """What a node said of itself."""

    node: int
    incarnation: int
    firmware: str
    kit: str
    platform: str
    count_sensor: str
    climate_sensor: str

    @property
    def is_simulated(self) -> bool:
        """Only a board runs on the `esp32` platform; everything else is a simulation of one."""
        return self.platform != "esp32"


@dataclass(frozen=True, slots=True)
class BootState:
    """What is known of one boot of a node: totals as of the last accepted record, which ended at `end_uptime_s`, and as of
    the last live message, told at `live_uptime_s` when `live_covered_s` of the open minute had been watched."""

    node: int
    incarnation: int
    boot: int
    epoch_ms: int = 0  # UTC at uptime zero, 0 while unknown
    total_ab: int = 0
    total_ba: int = 0
    end_uptime_s: int = 0
    live_ab: int = 0
    live_ba: int = 0
    live_uptime_s: int = 0
    live_covered_s: int = 0
    since_uptime_s: int = 0  # when it was first heard
    steady_epoch_ms: int | None = None  # uptime zero by the steady clock; None where that is of another run of the machine


@dataclass(frozen=True, slots=True)
class Accept:
    """A record that is new, with its bin. `site` and `bin_start` are final; `q` are the bits that this record brings."""

    node: int
    incarnation: int
    record: streetwire.Record
    site: str
    bin_start: int
    count_sensor: str
    climate_sensor: str
    q: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class PassOver:
    """A record that is new, of a minute in which its node stood nowhere: taken, and in no bin."""

    node: int
    incarnation: int
    seq: int
    bin_start: int
    boot: int


@dataclass(frozen=True, slots=True)
class Salvage:
    """People of whom only the live totals of an ended boot tell: the record of their minute went with the power."""

    node: int
    incarnation: int
    boot: int
    site: str
    bin_start: int
    count_sensor: str
    ab: int
    ba: int
    covered_s: int
    q: int
    received_ms: int


SILENT = "silent"  # the reason of a gap that ends when its node delivers


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a node's time for which no record is there. Times are UTC seconds; `bound` is people at most, -1 unknown."""

    site: str
    node: int
    reason: str
    start_s: int
    until_s: int
    bound: int
    resolved_s: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """People that a node counted and that will never arrive; `people` exact from totals or -1, `bound` at most."""

    site: str
    node: int
    reason: str
    at_s: int
    people: int
    bound: int


@dataclass(frozen=True, slots=True)
class Status:
    """A node's health, for `node_status`."""

    site: str
    node: int
    at_s: int
    fields: dict[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Floor:
    """No advert of this node under this key with this counter or a lower one is ever accepted again."""

    node: int
    key_id: int
    counter: int


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A node has delivered again all that it holds of the time in which another store kept the books."""

    node: int


@dataclass(frozen=True, slots=True)
class Reply:
    """Goes back to the node once everything before it is committed."""

    link: str
    message: streetwire.Message


@dataclass(frozen=True, slots=True)
class GiveTime:
    """Like Reply, but the time must be that of the sending."""

    link: str
    node: int
    incarnation: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Something of this node is not here that its adverts tell of: speak to it now, not in an hour."""

    link: str
    node: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a node found out by itself, as streetwire.TestResult has it: for technicians, not for the books."""

    node: int
    at_s: int
    results: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Note:
    """For the log: something a person may want to know. `level` is `info`, `warning` or `error`."""

    level: str
    event: str
    data: dict[str, object]


Kept = Passport | BootState | Accept | PassOver | Salvage | Gap | Loss | Status | Floor | Reckoned
Effect = Kept | Reply | GiveTime | Fetch | Told | Note


# -- what is kept and what goes out


@dataclass(frozen=True, slots=True)
class Heard:
    """A node as it was heard last, for those who look on. `live_ms` is when its last live message came (0: none yet), `boot`
    what boot it was of; its other values are in `health`."""

    at_ms: int
    link: str
    live_ms: int = 0
    boot: int = 0
    health: Mapping[str, int | float | str] = field(default_factory=dict)


class Moment(NamedTuple):
    """Uptime zero of a boot by the gateway's steady clock, and when that was found out."""

    epoch_ms: int
    at_ms: int


@dataclass(slots=True)
class Stream:
    """What is known of one (node, incarnation). `last_bin` and `last_boot` are of its newest accepted record. Up to the
    record `adopted` another store has kept the books, of which only the bins are known (0: there was none); `missing` are the
    minutes between them, (start, end) of each run, of which that store may have acknowledged records and sent nothing."""

    node: int
    incarnation: int
    watermark: int = 0
    last_bin: int = 0
    last_boot: int = -1
    passport: Passport | None = None
    adopted: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    boots: dict[int, BootState] = field(default_factory=dict)
    told_time_ms: int = 0
    told_status_s: int = 0
    links: set[str] = field(default_factory=set)
    may_ask: bool = False  # for records again, once after each hello
    heard: Heard | None = None
    heard_ms: int = 0  # when it last said something on a link, steady; adverts are none
    first_held: int = 0  # by the last hello
    moments: dict[int, Moment] = field(default_factory=dict)  # of each boot
    recent: dict[int, int] = field(default_factory=dict)  # number -> CRC-32 of the newest records
    refused_ms: int | None = None  # since when its oldest record is refused for a time that has not come, steady


@dataclass(frozen=True, slots=True)
class Series:
    """One counter row: everything that a site's node counts with one sensor."""

    site: str
    node: str
    sensor: str


@dataclass(frozen=True, slots=True)
class CountBin:
    """Passages of one minute (or of `period_s` where thinned), absolute. `start_s` is its UTC start; `incarnation` and `seq`
    are of the newest record in it, and as records come in order, every record of its time up to that one is in it."""

    series: Series
    start_s: int
    ab: int
    ba: int
    covered_s: int
    q: int
    rev: int
    revised_at: int
    incarnation: int = 0
    seq: int = 0
    period_s: int = PERIOD_S
    untimed: int = 0  # the newest record in it that had no time of its own; 0 where all had


@dataclass(frozen=True, slots=True)
class ClimateBin:
    """Climate of one minute: sums over `n` readings, in centi-degrees and half percents; `n_humidity` may be smaller."""

    series: Series
    start_s: int
    temperature_centi_sum: int
    humidity_half_sum: int
    n: int
    q: int
    rev: int
    revised_at: int


@dataclass(frozen=True, slots=True)
class Point:
    """One row of the database. `time_s` is UTC seconds."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, int | float | str]
    time_s: int


@dataclass(frozen=True, slots=True)
class OutboxRef:
    """A reference to what has to be sent: rendered only at the moment of sending. `id` is the store's, of the series of a bin
    or of the fact itself."""

    id: int
    measurement: str
    tags: dict[str, str] = field(hash=False)
    time_s: int
    rev: int
