"""The rolling-window counter by brute force: every pane is kept for ever, every sum is added up anew."""

from __future__ import annotations

from gateway.window import ACCEPTED, FUTURE, LATE, TOO_LATE

Values = tuple[int, int, int]  # ab, ba, covered_s
ZERO: Values = (0, 0, 0)


class Oracle:
    """Says what a WindowedCounter must say. Takes valid arguments only."""

    def __init__(self, windows_s: tuple[int, ...], pane_s: int, series: int, lateness_s: int) -> None:
        self.windows_s = windows_s
        self.pane_s = pane_s
        self.series = series
        self.oldest = (max(windows_s) + lateness_s) // pane_s  # greatest age that is still accepted
        self.open_pane = -1
        self.panes: dict[tuple[int, int], Values] = {}
        self.told: dict[tuple[int, int], Values] = {}  # the panes without what came late since the last draining
        self.changed: dict[int, set[int]] = {}  # series -> panes that were closed when they changed

    def advance(self, now: int) -> None:
        self.open_pane = max(self.open_pane, now // self.pane_s)

    def add(self, i: int, event_time: int, ab: int, ba: int) -> int:
        pane = event_time // self.pane_s
        old = self.panes.get((i, pane), ZERO)
        return self._write(i, pane, (old[0] + ab, old[1] + ba, old[2]))

    def set(self, i: int, pane_start: int, ab: int, ba: int, covered_s: int) -> int:
        return self._write(i, pane_start // self.pane_s, (ab, ba, covered_s))

    def _write(self, i: int, pane: int, new: Values) -> int:
        if pane > self.open_pane:
            return FUTURE
        if pane < self.open_pane - self.oldest:
            return TOO_LATE
        old = self.panes.get((i, pane), ZERO)
        self.panes[i, pane] = new
        if pane == self.open_pane:
            self.told[i, pane] = new
            return ACCEPTED
        if old != new:
            self.changed.setdefault(i, set()).add(pane)
        return LATE

    def open(self, i: int) -> Values:
        return self.panes.get((i, self.open_pane), ZERO)

    def window(self, i: int, window_s: int, end: int, panes: dict[tuple[int, int], Values] | None = None) -> Values:
        """The window that ends at the start of pane `end`."""
        source = self.panes if panes is None else panes
        parts = [source.get((i, pane), ZERO) for pane in range(end - window_s // self.pane_s, end)]
        return sum(p[0] for p in parts), sum(p[1] for p in parts), sum(p[2] for p in parts)

    def query(self, i: int) -> dict[int, tuple[int, int, float]]:
        answer = {}
        for window_s in self.windows_s:
            ab, ba, covered_s = self.window(i, window_s, self.open_pane)
            answer[window_s] = (ab, ba, covered_s / window_s)
        return answer

    def hulls(self) -> dict[tuple[int, int], tuple[int, int]]:
        """(i, window_s) -> first and last closed window end, in seconds, that a late change has reached."""
        answer = {}
        for i, panes in self.changed.items():
            for window_s in self.windows_s:
                reached = [
                    end for pane in panes for end in range(pane + 1, pane + window_s // self.pane_s + 1) if end <= self.open_pane
                ]
                answer[i, window_s] = min(reached) * self.pane_s, max(reached) * self.pane_s
        return answer

    def differing(self, i: int, window_s: int) -> list[int]:
        """The closed window ends, in seconds, whose sums are not what was told before."""
        k = window_s // self.pane_s
        ends = {end for pane in self.changed.get(i, ()) for end in range(pane + 1, pane + k + 1)}
        return sorted(
            end * self.pane_s
            for end in ends
            if end <= self.open_pane and self.window(i, window_s, end) != self.window(i, window_s, end, self.told)
        )

    def drain(self) -> None:
        self.told = dict(self.panes)
        self.changed.clear()
