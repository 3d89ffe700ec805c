"""Session and store against a model node with the firmware's own sender, over a line that loses, doubles, delays and garbles."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import streetwire
from gateway.errors import StoreError
from gateway.model import BootState, Effect, GiveTime, Received, Reply
from gateway.session import Session
from tests.gateway.model_node import ModelNode
from tests.gateway.parts import INCARNATION, LINK, NODE, RATE, T0, Desk, advert

T = TypeVar("T")
PLACES = st.integers(0, 30)


class Play(RuleBasedStateMachine):
    """Frames under way lie in two lists; each rule does to them what a line, a disk or a power supply can do. In the end everyone
    who was counted is stored, or may be missing by what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.to_gateway: list[tuple[int, bytes]] = []  # (when it came in, payload)
        self.to_node: list[bytes] = []
        self.broadcast: streetwire.Live | None = None  # the newest live message, as adverts tell it
        self.adverts = 0
        self.acked = 0
        self.disk_fails = False
        self.first_boot = 1 << 16  # the first that this store has heard of

    @initialize(capacity=st.sampled_from([4, 20, 10_000]))
    def begin(self, capacity):
        self.node = ModelNode(T0 - 86_400, capacity)

    # -- what happens

    @rule(people=st.integers(0, 9), seconds=st.sampled_from([10, 50, 60, 130, 400]))
    def time_passes(self, people, seconds):
        self.node.pass_people(people)
        self.node.advance(seconds)
        self._collect()

    @precondition(lambda self: self.node.boot - max((r.boot for r in self.node.written.values()), default=0) < 6)
    @rule(dark_s=st.sampled_from([0, 1, 5, 30, 300]))
    def power_cut(self, dark_s):
        self.node.power_on(dark_s)
        self.to_node.clear()
        self.broadcast = None

    @rule(at=PLACES, how_many=st.integers(1, 12))
    def frames_arrive(self, at, how_many):
        for came_s, payload in self._take(self.to_gateway, at, how_many):
            self._hear(payload, came_s)

    @rule(at=PLACES, how_many=st.integers(1, 12))
    def answers_arrive(self, at, how_many):
        for payload in self._take(self.to_node, at, how_many):
            self.node.take(payload)
        self._collect()

    @precondition(lambda self: self.broadcast is not None)
    @rule(after_s=st.sampled_from([0, 0.6, 5, 9.9]))
    def an_advert_is_heard(self, after_s):
        live, self.adverts = self.broadcast, self.adverts + 1
        told = advert(self.adverts, live.total_ab, live.total_ba, self.node.now_s + after_s, boot=live.boot)
        self._do(lambda session: session.hear_advert(told), self.node.now_s + after_s)

    @rule(at=PLACES)
    def a_frame_is_lost(self, at):
        self._take(self.to_gateway, at, 1)

    @rule(at=PLACES)
    def an_answer_is_lost(self, at):
        self._take(self.to_node, at, 1)

    @precondition(lambda self: self.to_gateway)
    @rule(at=PLACES, to=PLACES)
    def a_frame_is_doubled_and_late(self, at, to):
        frame = self.to_gateway[at % len(self.to_gateway)]
        self.to_gateway.insert(to % (len(self.to_gateway) + 1), frame)

    @precondition(lambda self: self.to_node)
    @rule(at=PLACES, to=PLACES)
    def an_answer_is_doubled_and_late(self, at, to):
        self.to_node.insert(to % (len(self.to_node) + 1), self.to_node[at % len(self.to_node)])

    @rule(noise=st.binary(min_size=1, max_size=40))
    def noise(self, noise):
        self._hear(noise)

    @rule()
    def the_gateway_is_killed(self):
        self.desk.restart()
        self.to_node.clear()

    @precondition(lambda self: self.node.log.capacity >= 10_000)
    @rule()
    def the_store_is_lost(self):
        self.desk.store.close()
        self.desk = Desk()
        self.first_boot = 1 << 16
        self.acked = 0
        self.to_node.clear()

    @rule()
    def the_disk_is_full_for_one_commit(self):
        self.disk_fails = True

    # -- how it is carried

    def _collect(self) -> None:
        self.to_gateway += self.node.said
        said = [streetwire.decode(payload) for _, payload in self.node.said]
        self.broadcast = next((message for message in reversed(said) if message.kind == streetwire.LIVE), self.broadcast)
        self.node.said = []

    @staticmethod
    def _take(frames: list[T], at: int, how_many: int) -> list[T]:
        start = at % len(frames) if frames else 0
        taken = frames[start : start + how_many]
        del frames[start : start + how_many]
        return taken

    def _hear(self, payload: bytes, came_s: int | None = None) -> None:
        # A driver notes the moment; however long a frame then waits, that does not change.
        at_s = self.node.now_s if came_s is None else came_s
        self._do(lambda session: session.hear(Received(payload, LINK, at_s * 1000)), at_s)

    def _do(self, decide: Callable[[Session], list[Effect]], at_s: float) -> None:
        self.desk.now_s = at_s
        effects = decide(self.desk.session)
        try:
            if self.disk_fails:
                self.disk_fails = False
                raise StoreError("store-full", path="store.db")
            self.desk.commit(effects)
        except StoreError:
            self.desk.restart()
            return
        self.first_boot = min([self.first_boot, *(e.boot for e in effects if isinstance(e, BootState))])
        for effect in effects:
            if isinstance(effect, Reply):
                if effect.message.kind == streetwire.ACK:
                    assert effect.message.watermark >= self.acked, "the watermark moved back"
                    self.acked = effect.message.watermark
                    assert self._is_committed(self.acked), "acknowledged before it was committed"
                self.to_node.append(effect.message.encode())
            elif isinstance(effect, GiveTime):
                self.to_node.append(streetwire.Time(effect.node, effect.incarnation, int(at_s * 1000)).encode())

    def _is_committed(self, watermark: int) -> bool:
        return watermark == 0 or any(stream.watermark >= watermark for stream in self.desk.store.streams())

    # -- how it ends

    def teardown(self):
        if hasattr(self, "node"):
            self._heal()
            self._check_books()
            self._check_that_hearing_again_changes_nothing()
        self.desk.store.close()

    def _heal(self) -> None:
        for _ in range(60):
            self.node.advance(60)
            self._collect()
            while self.to_gateway or self.to_node:
                self.frames_arrive(0, 10_000)
                self.answers_arrive(0, 10_000)
            newest = max(self.node.written, default=0)
            if self.acked == newest:
                return
        raise AssertionError(f"the node still waits: acknowledged {self.acked}, newest {newest}")

    def _check_books(self) -> None:
        written = self.node.written
        received = self._rows("SELECT seq, bin_start, body FROM received")
        placed = {seq: start for seq, start, _ in received if seq > 0}
        held = {record.seq for record in self.node.log.held}
        assert held <= set(placed) <= set(written), "a record that the node could still send is missing"
        bins: Counter[int] = Counter()
        for seq, start, body in received:
            bins[start] += written[seq].d_ab if seq > 0 else json.loads(body)[0]
            assert start <= self.node.now_s, "placed into the future"
            assert seq < 0 or start == written[seq].bin_start or not written[seq].bin_start, "a named minute was changed"
        assert {start: ab for start, (ab, _) in self.desk.counts().items()} == bins, "a bin is not its records and salvage"
        # People in records that the node gave up: exact, as soon as a later record of that boot has arrived.
        newest = {boot: max(s for s in placed if written[s].boot == boot) for boot in {written[s].boot for s in placed}}
        holes = sum(r.d_ab for s, r in written.items() if s not in placed and s < newest.get(r.boot, 0))
        assert sum(loss["people"] for loss in self._facts("losses", "given_up")) == holes, "the holes are not what the totals say"
        self._check_law(sum(bins.values()))

    def _check_law(self, stored: int) -> None:
        counted = sum(people for boot, people in self.node.counted.items() if boot >= self.first_boot)
        flagged = sum(loss["bound"] for loss in self._facts("losses", "%"))
        if self.node.log.capacity < 10_000:  # records of boots of which none has arrived
            flagged += sum(gap["bound"] for gap in self._facts("gaps", "given_up"))
        assert stored <= counted, "somebody was counted twice"
        assert counted <= stored + flagged, "somebody is missing, and nothing says so"
        cuts = self.node.boot - 1
        minutes = 1 if self.node.log.capacity >= 10_000 else 2
        most = cuts * minutes * RATE * 62 // 60
        assert sum(loss["bound"] for loss in self._facts("losses", "power_cut")) <= most, "more is flagged than was cut"

    def _facts(self, measurement: str, reason: str) -> list[dict]:
        query = "SELECT fields FROM facts WHERE measurement = ? AND tags LIKE ?"
        rows = self.desk.store.read(query, (measurement, f'%"reason": "{reason}"%'))
        return [json.loads(fields) for (fields,) in rows]

    def _rows(self, query: str) -> list:
        return self.desk.store._db.execute(query).fetchall()

    def _check_that_hearing_again_changes_nothing(self) -> None:
        def books():
            return [self._rows(f"SELECT * FROM {table}") for table in ("received", "bins", "streams", "outbox")]

        before = books()
        for again in ("the same session", "a restarted gateway"):
            for seq in sorted(self.node.written):
                self._hear(streetwire.RecordMessage(NODE, INCARNATION, 0, self.node.written[seq]).encode())
            assert books() == before, again
            self.desk.restart()


Play.TestCase.settings = settings(max_examples=120, stateful_step_count=40)
TestPlay = Play.TestCase
