"""What really happened: the truth that the law is held against. It knows no gateway."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import streetwire


@dataclass
class NodeBook:
    """Of one node number (several devices may bear it). Moments are simulated milliseconds since the start."""

    number: int
    site: str
    rate: int
    ab: list[int] = field(default_factory=list)  # moments of passages that a detector reported
    ba: list[int] = field(default_factory=list)
    records: list[tuple[int, int, streetwire.Record]] = field(default_factory=list)  # closed at, incarnation, record
    cuts: list[int] = field(default_factory=list)
    torn: int = 0  # writes that a cut broke off: each may have been the mark of a boot
    wipes: list[int] = field(default_factory=list)  # the flash was emptied, replaced or left behind
    flips: list[int] = field(default_factory=list)
    has_twin: bool = False
    is_cloned: bool = False  # two devices tell two stories under the same numbers: one of them cannot be told
    is_gone: bool = False  # other hardware has its place
    given_up: int = 0  # people in records that a full ring overwrote before anybody had acknowledged them
    heard_ms: int | None = None  # when the gateway that is first answered it: of a boot that had ended before, nobody can know
    dark: list[tuple[int, int]] = field(default_factory=list)  # no device of this number was on
    lit_ms: int = 0  # sum over devices of the time for which they were on
    _on_since: dict[Hashable, int] = field(default_factory=dict)
    _dark_since: int = 0

    def passed(self, at_ms: int, is_ab: bool) -> None:
        (self.ab if is_ab else self.ba).append(at_ms)

    def cut(self, at_ms: int) -> None:
        self.cuts.append(at_ms)

    @property
    def unknowable_until_ms(self) -> int:
        """Boots that ended before the gateway had heard anything of this number have left no trace."""
        heard_ms = self.heard_ms if self.heard_ms is not None else 1 << 60
        return max((cut for cut in (*self.cuts, *self.wipes) if cut <= heard_ms), default=0)

    def give_up(self, incarnation: int, first_seq: int, end_seq: int) -> None:
        """The records with these numbers are overwritten."""
        for _, owner, record in self.records:
            if owner == incarnation and first_seq <= record.seq < end_seq:
                self.given_up += record.d_ab + record.d_ba

    def light(self, device: Hashable, now_ms: int) -> None:
        if not self._on_since and now_ms > self._dark_since:
            self.dark.append((self._dark_since, now_ms))
        self._on_since[device] = now_ms

    def darken(self, device: Hashable, now_ms: int) -> None:
        self.lit_ms += now_ms - self._on_since.pop(device, now_ms)
        if not self._on_since:
            self._dark_since = now_ms

    def close(self, now_ms: int) -> None:
        """The end of the schedule."""
        for device in list(self._on_since):
            self.lit_ms += now_ms - self._on_since[device]
            self._on_since[device] = now_ms
        if not self._on_since:
            self.dark.append((self._dark_since, now_ms))

    @property
    def truth(self) -> int:
        return len(self.ab) + len(self.ba)
