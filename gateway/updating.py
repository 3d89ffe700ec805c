"""Bringing other firmware to one node. Pure: what the node says and the time in, messages out.

Theory of operation
    offering   the manifest's size and its MAC under the node's key, until the node answers with what it wants.
    sending    each block that the node asks for; it asks again for what was lost, and goes on where an earlier try stopped.
    checking   the node looks at the whole by itself.
    switching  it said READY, and was told to start from it. It does so at its next tick.
    proving    it has started anew, on trial, and confirms once it has run for a minute in order. What does not goes back to the old
               firmware by itself.
    done       confirmed; or it had this firmware already.
    failed     with the node's own words, or because it fell silent. Nothing has to be repaired: a node runs what it ran.
Each message is answered or sent again after RETRY_S, MAX_TRIES times.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum

import streetwire
from gateway.bundle import Firmware, number_of
from gateway.radio.keys import NodeKey
from gateway.words import Say

RETRY_S = 3.0
MAX_TRIES = 20
PROVING_S = 2400  # three starts of ten minutes, and what lies between
BACK_S = 90.0  # a tick, a start, a pause for technicians


class Stage(Enum):
    """Where an update is. DONE and FAILED are ends."""

    OFFERING = "offering"
    SENDING = "sending"
    CHECKING = "checking"
    SWITCHING = "switching"
    PROVING = "proving"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """What to say to the node: a kind of streetwire and its fields behind the address."""

    kind: type[streetwire.Message]
    fields: tuple[object, ...]


class Updater:
    """`now_s` is of a clock that nobody sets. `stage`, `share` and `problem` may be read at any time."""

    def __init__(self, key: NodeKey, firmware: Firmware) -> None:
        self.stage = Stage.OFFERING
        self.problem: Say | None = None
        self._firmware = firmware
        self._parts = firmware.parts
        digest = hashlib.sha256(firmware.manifest).digest()
        self._mac = hmac.digest(key.key, streetwire.update_text(key.number, digest), "sha256")
        self._before = [0]  # bytes before each part
        for part in self._parts:
            self._before.append(self._before[-1] + len(part))
        self._hello: streetwire.Hello | None = None
        self._begun_again = 0
        self._sent_b = 0
        self._last: Step | None = None
        self._last_s = 0.0
        self._tries = 0
        self._proving_until_s = 0.0

    @property
    def share(self) -> float:
        """Of the bytes that the node has."""
        is_there = self.stage in (Stage.CHECKING, Stage.SWITCHING, Stage.PROVING, Stage.DONE)
        return 1.0 if is_there else self._sent_b / self._before[-1]

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.stage in (Stage.DONE, Stage.FAILED)

    def begin(self, hello: streetwire.Hello, now_s: float) -> list[Step]:
        """The node has said who it is."""
        self._hello = hello
        if hello.kit != self._firmware.kit:
            return self._fail("update-kit", found=hello.kit, expected=self._firmware.kit)
        if hello.firmware == self._firmware.version:
            self.stage = Stage.DONE
            return []
        if number_of(hello.firmware) > number_of(self._firmware.version):
            return self._fail("update-older", found=self._firmware.version, expected=hello.firmware)
        return self._say(Step(streetwire.Update, (streetwire.OFFER, 0, len(self._firmware.manifest), self._mac)), now_s)

    def on_message(self, message: streetwire.Message, now_s: float) -> list[Step]:
        """Anything that the node says."""
        if isinstance(message, streetwire.UpdateState) and not self.is_over:
            return self._on_state(message, now_s)
        if isinstance(message, streetwire.Hello):
            return self._on_hello(message, now_s)
        return []

    def on_time(self, now_s: float) -> list[Step]:
        """Call it every second or so."""
        if self.is_over:
            return []
        if self.stage is Stage.PROVING:
            return self._fail("update-unproven") if now_s >= self._proving_until_s else []
        if self._last is None or now_s - self._last_s < RETRY_S:
            return []
        if self._tries >= MAX_TRIES:
            return self._fail("update-silent")
        self._tries += 1
        self._last_s = now_s
        return [self._last]

    def _on_hello(self, hello: streetwire.Hello, now_s: float) -> list[Step]:
        is_restarted = self._hello is not None and hello.boot != self._hello.boot
        self._hello = hello
        if hello.firmware == self._firmware.version:
            if self.stage is Stage.SWITCHING:
                self._prove(now_s)
        elif self.stage is Stage.PROVING:
            return self._fail("update-back")
        elif is_restarted and self.stage in (Stage.OFFERING, Stage.SENDING, Stage.CHECKING):
            return self._begin_again(now_s)
        return []  # switching, it is asked again, and says what became of it

    def _begin_again(self, now_s: float) -> list[Step]:
        """It has started anew meanwhile, and goes on where it stopped."""
        assert self._hello is not None
        self._begun_again += 1
        if self._begun_again > MAX_TRIES:
            return self._fail("update-silent")
        self.stage = Stage.OFFERING
        return self.begin(self._hello, now_s)

    def _prove(self, now_s: float) -> None:
        self.stage = Stage.PROVING
        self._proving_until_s = now_s + PROVING_S

    def _on_state(self, message: streetwire.UpdateState, now_s: float) -> list[Step]:
        if message.state == streetwire.REFUSED:
            return self._on_refusal(message.text, now_s)
        if message.state == streetwire.WANTS and self.stage in (Stage.OFFERING, Stage.SENDING):
            return self._send(message.file, message.at, now_s)
        if message.state == streetwire.CHECKS and self.stage in (Stage.OFFERING, Stage.SENDING):
            self.stage = Stage.CHECKING
            return []
        if message.state == streetwire.READY and self.stage is not Stage.PROVING:
            self.stage = Stage.SWITCHING
            return self._say(Step(streetwire.Update, (streetwire.SWITCH,)), now_s)
        return self._on_standing(message, now_s)

    def _on_refusal(self, text: str, now_s: float) -> list[Step]:
        if self.stage is Stage.PROVING:
            return []  # what was asked of it before it started anew
        if self.stage is Stage.SWITCHING and self._begun_again < MAX_TRIES:
            return self._begin_again(now_s)  # its power was cut before it could store the switch
        return self._fail("update-refused", found=text)

    def _on_standing(self, message: streetwire.UpdateState, now_s: float) -> list[Step]:
        is_new = message.text == self._firmware.version
        if message.state == streetwire.ON_TRIAL and is_new and self.stage is not Stage.PROVING:
            self._prove(now_s)
        elif message.state == streetwire.CONFIRMED and is_new:
            self.stage = Stage.DONE
        elif message.state == streetwire.ROLLED_BACK and not is_new and self.stage in (Stage.SWITCHING, Stage.PROVING):
            return self._fail("update-back")
        return []

    def _send(self, file: int, at: int, now_s: float) -> list[Step]:
        if file >= len(self._parts) or at >= len(self._parts[file]):
            return self._fail("update-refused", found=f"{file}:{at}")
        self.stage = Stage.SENDING
        self._sent_b = self._before[file] + at
        block = self._parts[file][at : at + streetwire.MAX_BLOCK]
        return self._say(Step(streetwire.Update, (streetwire.BLOCK, file, at, block)), now_s)

    def _say(self, step: Step, now_s: float) -> list[Step]:
        # The same again, as an answer to the same question, counts as a try: two who cannot agree do not do so for ever.
        self._tries = self._tries + 1 if step == self._last else 0
        self._last, self._last_s = step, now_s
        return [step] if self._tries < MAX_TRIES else self._fail("update-silent")

    def _fail(self, key: str, **about: object) -> list[Step]:
        self.stage = Stage.FAILED
        self.problem = Say(f"error.{key}", about)
        return []


class RollBack:
    """Sending one node back to its other slot, in the same manner. `version` is what it runs then."""

    share = 0.0

    def __init__(self) -> None:
        self.stage = Stage.OFFERING
        self.problem: Say | None = None
        self.version = ""
        self._boot = 0
        self._until_s = 0.0

    @property
    def is_over(self) -> bool:
        return self.stage in (Stage.DONE, Stage.FAILED)

    def begin(self, hello: streetwire.Hello, now_s: float) -> list[Step]:
        """The node has said who it is. It is told once: said twice it would come back again."""
        self._boot, self._until_s = hello.boot, now_s + BACK_S
        return [Step(streetwire.Command, (streetwire.ROLL_BACK, 0))]

    def on_message(self, message: streetwire.Message, _now_s: float) -> list[Step]:
        """Anything that the node says."""
        if isinstance(message, streetwire.UpdateState) and message.state == streetwire.REFUSED:
            self.stage, self.problem = Stage.FAILED, Say("error.update-refused", {"found": message.text})
        elif isinstance(message, streetwire.Hello) and message.boot != self._boot:
            self.stage, self.version = Stage.DONE, message.firmware
        return []

    def on_time(self, now_s: float) -> list[Step]:
        """Call it every second or so."""
        if not self.is_over and now_s >= self._until_s:
            self.stage, self.problem = Stage.FAILED, Say("error.update-silent")
        return []
