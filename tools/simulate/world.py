"""One schedule from beginning to end: everything is set up, the faults strike, everything heals, the law is applied."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from gateway.model import PERIOD_S, node_name
from node.log import RecordLog
from streetwire import Record
from tools.simulate import law
from tools.simulate.air import Air
from tools.simulate.books import NodeBook
from tools.simulate.faults import FAULTS
from tools.simulate.gateway import RESTART_MS, START_S, Gateway
from tools.simulate.law import Violation
from tools.simulate.link import Cable
from tools.simulate.node import Node
from tools.simulate.schedule import MINUTE_MS, NodePlan, Plan, Stroke, twin_of
from tools.simulate.server import Server
from tools.simulate.timeline import Timeline

HEAL_MS = 45 * MINUTE_MS  # by then everything has to be delivered
AIR_HEAL_MS = 100 * MINUTE_MS  # where nodes are spoken to once an hour, and after a longest pause
CLOCK_HEAL_MS = 110 * MINUTE_MS  # where a node had been told a time an hour ahead
SILENCE_MS = 17 * MINUTE_MS  # until a node that is gone has been missed
LOOK_EVERY_MS = 5000
SPEAK_MS = 130_000  # by then a node has written a minute of its newest boot
HOURLY = 1 / 16  # of the schedules with nodes without a cable wait until those are spoken to anyway
AUDIT_AFTER_MS = 3 * MINUTE_MS  # an audit leaves the last two minutes to the next
_SHM = Path("/dev/shm")  # noqa: S108  memory, where there is one: a sync costs nothing there


@dataclass
class Outcome:
    """What became of a schedule."""

    seed: int
    violations: list[Violation]
    faults: Counter[str] = field(default_factory=Counter)
    node_ms: int = 0  # of all nodes, whether they were on or not
    cuts: int = 0
    flagged: int = 0  # people, for power cuts
    ceiling: int = 0  # people that may be flagged for them


def run(plan: Plan) -> Outcome:
    """The whole schedule, in a folder of its own that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="trottoir-simulate-", dir=_SHM if _SHM.is_dir() else None))
    try:
        return World(plan, folder).run()
    except Exception as error:  # in the code under test, and nothing there may end it
        return Outcome(plan.seed, [Violation("run", "", {"what": repr(error)})])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class World:
    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.timeline = Timeline()
        self.timeline.now_ms = plan.first_minute * MINUTE_MS
        self.faults: Counter[str] = Counter()
        self.server = Server(self.faults)
        self.cables = {link: Cable(self.timeline, self._rng(link), self.faults) for link in plan.links}
        self.air = Air(self.timeline, self._rng("air"), self.faults)
        self.books: dict[int, NodeBook] = {}
        self.nodes: list[Node] = []
        rng = self._rng("gateway")
        self.gateway = Gateway(self.timeline, plan, folder, self.cables, self.air, self.server, self.faults, rng, self._answered)
        for node in plan.nodes:
            self._add(node)
        self.is_healing = False
        self.heals_from_ms = 0
        self.twins: list[tuple[Node, Node]] = []
        self._audit_due_s = 0  # from then on an audit sees everything
        self._server_turn = self._clock_turn = 0

    def run(self) -> Outcome:
        begin_ms = self.timeline.now_ms
        self.gateway.start()
        for node in self.nodes:
            self.timeline.after(self._rng(f"start {node.number}").randrange(5000), node.power_on)
        moments, end_ms = self.plan.moments()
        for at_ms, stroke in zip(moments, self.plan.strokes, strict=True):
            self.timeline.at(begin_ms + at_ms, self._strike, stroke)
        self.timeline.run_until(begin_ms + end_ms)
        heals = self._heal()
        for book in self.books.values():
            book.close(self.timeline.now_ms)
        violations = law.judge(self) + ([] if heals else [Violation("heals", "", {"minutes": self._heal_ms // MINUTE_MS})])
        outcome = Outcome(self.plan.seed, violations, self.faults, (self.timeline.now_ms - begin_ms) * len(self.books))
        for book in self.books.values():
            outcome.cuts += len(book.cuts)
            outcome.ceiling += (len(book.cuts) + book.torn) * law.cut_ceiling(book.rate)
        outcome.flagged = law.flagged_for_cuts(self.server)
        self.gateway.dispose()
        return outcome

    def _strike(self, stroke: Stroke) -> None:
        fault = FAULTS[stroke.fault]
        if fault.strike(self, stroke) and not fault.is_quiet:
            self.faults[stroke.fault] += 1

    # -- healing

    def _heal(self) -> bool:
        """Everything comes back, nobody walks by any more, and time goes on until all is delivered; False if it never is."""
        self.is_healing = True
        self.server.heal()
        for cable in self.cables.values():
            cable.heal()
        self.air.heal()
        self.gateway.offset_ms = 0
        self.gateway.disk.is_full = self.gateway.disk.fails_to_commit = False
        self.gateway.start(at_once=True)
        for node in self.nodes:
            node.is_street_empty = True
            node.flash.bytes_until_cut = None
            node.off_until_ms = 0
            node.power_on()
        for _, twin in self.twins:  # somebody has found it
            twin.unplug()
        begin_ms = self.heals_from_ms = self.timeline.now_ms
        if self.has_air and self._rng("heal").random() >= HOURLY:  # a gateway that starts speaks to everybody it hears
            self.timeline.after(SPEAK_MS, self.gateway.stop, RESTART_MS)
        self._audit_due_s = max(self.second(begin_ms), self._newest_minute()) + AUDIT_AFTER_MS // 1000
        least_ms = 2 * MINUTE_MS + 2 * LOOK_EVERY_MS
        if any(node.is_gone for node in self.nodes):  # it is missed when its last minute, by whatever clock, is long over
            least_ms = SILENCE_MS + max(0, self._newest_minute() - self.second(begin_ms)) * 1000
            if self.has_air:  # a gateway that has just started has heard nobody
                least_ms += SPEAK_MS + RESTART_MS
        while self.timeline.now_ms < begin_ms + self._heal_ms:
            self.timeline.run_until(self.timeline.now_ms + LOOK_EVERY_MS)
            if self.timeline.now_ms >= begin_ms + least_ms and self._is_delivered():
                if not self.twins:
                    return True
                self._change_twins()
        return False

    def _is_delivered(self) -> bool:
        is_told = all(node.is_gone or self.book_of(node).is_cloned or node.is_delivered for node in self.nodes)
        is_read_back = not self.forgets or self.gateway.is_audited(self._audit_due_s)
        return is_told and is_read_back and self.gateway.is_drained()

    def _newest_minute(self) -> int:
        """That a node has named; a moved clock may have put it ahead, and an audit sees it only when it has come."""
        named = [record.bin_start for book in self.books.values() for _, _, record in book.records]
        return max((minute for minute in named if minute < self.second(self.timeline.now_ms) + CLOCK_HEAL_MS // 1000), default=0)

    def _change_twins(self) -> None:
        """What the second device kept to itself is told now: the first has told everything, and makes room for it."""
        for one, twin in self.twins:
            if not self.book_of(one).is_cloned:
                one.unplug()
                twin.is_gone = False
                twin.power_on()
        self.twins.clear()

    # -- what faults do

    def cut(self, index: int, off_ms: int) -> bool:
        """A node loses its power, and gets it back after a while."""
        node = self.nodes[index]
        was_on = node.is_on
        if self.is_healing:
            return False
        if was_on:
            self.book_of(node).cut(self.timeline.now_ms)
        node.power_off(off_ms)
        return was_on

    def swap(self, index: int) -> bool:
        """Other hardware takes the place of a node, which never comes back."""
        old = self.nodes[index]
        if old.is_gone or old.number in {plan.spare for plan in self.plan.nodes}:
            return False
        self.cut(index, 0)
        old.is_gone = True
        book = self.book_of(old)
        book.wipes.append(self.timeline.now_ms)
        book.is_gone = True
        new = self._add(replace(old.plan, number=old.plan.spare, first_total=0, first_boot=0))
        self.nodes[index], self.nodes[-1] = new, old
        self.timeline.after(20_000, new.power_on)
        return True

    def add_twin(self, index: int, is_clone: bool) -> bool:
        """A second device with the same number on a cable of its own: a copy of its flash, or a fresh one."""
        one = self.nodes[index]
        book = self.book_of(one)
        is_cable_taken = any(node.plan.link == twin_of(one.plan.link) for node in self.nodes)
        if book.has_twin or one.is_gone or is_cable_taken or one.plan.is_on_air:
            return False
        book.has_twin = True
        twin = self._add(replace(one.plan, link=twin_of(one.plan.link), first_total=0, first_boot=0))
        if is_clone:
            twin.flash = one.flash.copy()
            book.is_cloned = True
        twin.power_on()
        self.twins.append((one, twin))
        return True

    def forget_unpublished(self) -> None:
        """The gateway's store is gone: what it had heard of nodes of which the server has nothing, nobody knows any more."""
        published = {row.tags["node"] for row in self.server.table("passages")}
        for number, book in self.books.items():
            if node_name(number) not in published:
                book.heard_ms = None

    def for_a_while(self, thing: object, name: str, ms: int) -> None:
        setattr(thing, name, True)
        self.timeline.after(ms, setattr, thing, name, False)

    def move_clock(self, offset_ms: int, ms: int) -> None:
        """The gateway's clock is off by that much for a while."""
        self._clock_turn += 1
        self.gateway.offset_ms = offset_ms
        self.timeline.after(ms, self._right_clock, self._clock_turn)

    def _right_clock(self, turn: int) -> None:
        if turn == self._clock_turn:
            self.gateway.offset_ms = 0

    def server_does(self, mode: str, argument: int, ms: int) -> None:
        self._server_turn += 1
        self.server.mode, self.server.argument = mode, argument
        self.timeline.after(ms, self._right_server, self._server_turn)

    def _right_server(self, turn: int) -> None:
        if turn == self._server_turn:
            self.server.heal()

    def _answered(self, number: int) -> None:
        book = self.books[number]
        if book.heard_ms is None:
            book.heard_ms = self.timeline.now_ms

    # -- what there is

    def book_of(self, node: Node) -> NodeBook:
        return self.books[node.number]

    @property
    def _heal_ms(self) -> int:
        return (AIR_HEAL_MS if self.has_air else HEAL_MS) + (CLOCK_HEAL_MS - HEAL_MS if self.clock_moves else 0)

    @property
    def has_air(self) -> bool:
        return any(node.is_on_air for node in self.plan.nodes)

    @property
    def clock_moves(self) -> bool:
        return any(FAULTS[stroke.fault].moves_clock for stroke in self.plan.strokes)

    @property
    def forgets(self) -> bool:
        return any(FAULTS[stroke.fault].forgets for stroke in self.plan.strokes)

    def second(self, at_ms: int) -> int:
        """UTC of a moment."""
        return START_S + at_ms // 1000

    def _add(self, plan: NodePlan) -> Node:
        known = self.books.get(plan.number)
        book = known or NodeBook(plan.number, plan.site, plan.street.rate, _dark_since=self.timeline.now_ms)
        self.books[plan.number] = book
        way = self.air if plan.is_on_air else self.cables[plan.link]
        node = Node(plan, self.timeline, way, book, self._rng(f"node {plan.number} {len(self.nodes)}"))
        if plan.first_boot:  # it has been here for long
            log = RecordLog(node.flash, lambda: 0x5EED0000 + len(self.nodes))
            log.boot = plan.first_boot
            log._write(log._mark())
            minute = self.second(self.timeline.now_ms) - PERIOD_S
            record = Record(1, plan.first_boot % 0xFFFF + 1, minute, 0, PERIOD_S, 0, 0, plan.first_total, plan.first_total)
            book.records.append((self.timeline.now_ms, log.incarnation, record))
            self.gateway.files.hold(plan.number, log.incarnation, record, plan.site, START_S)
        self.nodes.append(node)
        return node

    def _rng(self, name: str) -> Random:
        return Random(f"{self.plan.seed} {name}")
