"""A gateway whose configuration a technician changes with the steps of `trottoir node`, through the real configuration, session and
store, with a restart at each change."""

from __future__ import annotations

from contextlib import closing

from gateway import config
from gateway.config import Config
from gateway.model import node_name
from gateway.reading import Reader
from gateway.session import Rules
from tests.gateway.parts import INCARNATION, NODE, OTHER, RATE, T0, Desk, hello, minute
from tools.registry.steps import Books

OLD, NEW = node_name(NODE), node_name(OTHER)
FRESH = INCARNATION + 5
SWAP = T0 + 600
TEXT = f'[sites.bahnhof]\ngreatest_per_minute = {RATE}\n[sites.jahnplatz]\n[nodes.{OLD}]\nsite = "bahnhof"\nname = "Nord"\n'


def rules_of(found: Config) -> Rules:
    def rate(site: str) -> int:
        return found.sites[site].greatest_per_minute

    return Rules(lambda name: name in found.nodes, found.site_of, rate, next_change=found.next_change)


class Street:
    """A gateway whose configuration is changed by the steps of `trottoir node`, with a restart, as a technician does it."""

    def __init__(self, path) -> None:
        self.path = path
        self.text = TEXT
        self.desk = Desk(path, self.rules)
        self.old_total = 0
        self.new_total = 0
        self.desk.hear(hello(), T0)

    @property
    def rules(self) -> Rules:
        return rules_of(self.config)

    @property
    def config(self) -> Config:
        return config.parse(self.text, "t", {})

    def change(self, step, *arguments) -> None:
        with closing(Reader(self.path)) as reader:
            newest = {series.node: counted.from_s for series, counted in reader.newest(0).items()}
        self.text = step(Books(self.text, self.config, newest.get), *arguments).text
        self.desk.rules = self.rules
        self.desk.restart()

    def old(self, seq: int, ab: int = 3, heard_s: int | None = None, boot: int = 1):
        """The record of minute `seq` after T0, from 1 on, in order."""
        self.old_total += ab
        said = minute(seq, T0 + 60 * (seq - 1), ab, total=(self.old_total, 0), uptime_end_s=60 * seq, boot=boot)
        return self.desk.hear(said, heard_s or T0 + 60 * seq + 1)

    def new(self, seq: int, start_s: int, ab: int = 5, heard_s: int | None = None):
        self.new_total += ab
        uptime_s = 60 * seq
        said = minute(seq, start_s, ab, total=(self.new_total, 0), uptime_end_s=uptime_s, node=OTHER, incarnation=FRESH)
        return self.desk.hear(said, heard_s or start_s + 61)

    def introduce_new(self, at_s: int) -> None:
        self.desk.hear(hello(node=OTHER, incarnation=FRESH), at_s)

    def counted(self) -> dict[tuple[str, str], list[tuple[int, int]]]:
        """(site, node) -> its minutes, (start after T0, people)."""
        found: dict[tuple[str, str], list[tuple[int, int]]] = {}
        query = "SELECT site, node, start, ab FROM bins JOIN series ON series.id = bins.series ORDER BY start"
        for site, node, start, ab in self.desk.store.read(query):
            found.setdefault((site, node), []).append((start - T0, ab))
        return found

    def flagged(self) -> list[tuple[str, str]]:
        return list(self.desk.store.read("SELECT measurement, tags FROM facts WHERE measurement IN ('gaps', 'losses')"))
