"""What a sensor sees at a moment, as a picture of letters: a top view for radar, bars for ranges, levels. Pure."""

from __future__ import annotations

from collections.abc import Sequence

KIND_OF = {"radar": "radar", "lidar": "lidar", "tof": "door", "pir": "switches"}  # what counts, by its tag: how it is drawn
COLUMNS, ROWS = 41, 13  # of the top view: 20 cm and 50 cm each
X_MM, Y_MM = 4000, 6000  # it shows from -X_MM to X_MM, and up to Y_MM away
BAR = 40
FAR_MM = {"lidar": 8000, "door": 3000}


def kind_of(sensor: str) -> str:
    """How to draw what it sees; empty where that is not known."""
    return KIND_OF.get(sensor, "")


def targets(seen: Sequence[int]) -> list[tuple[int, int, int]]:
    """A radar's: x and y in mm, cm/s towards it."""
    return [(seen[i], seen[i + 1], seen[i + 2]) for i in range(0, len(seen) - len(seen) % 3, 3)]


def draw(kind: str, seen: Sequence[int]) -> list[str]:
    """Lines of at most 60 characters."""
    if kind == "radar":
        return _top_view(targets(seen))
    if kind in FAR_MM:
        return [_bar(name, mm, FAR_MM[kind]) for name, mm in zip("AB", seen, strict=False)]
    if kind == "switches":
        return [f"{name} {'#' * 6 if level else '.' * 6}" for name, level in zip("AB", seen, strict=False)]
    return [" ".join(map(str, seen))]


def _top_view(found: list[tuple[int, int, int]]) -> list[str]:
    field = [["|" if column == COLUMNS // 2 else " " for column in range(COLUMNS)] for _ in range(ROWS)]
    for x, y, _ in found:
        column, row = (x + X_MM) * (COLUMNS - 1) // (2 * X_MM), ROWS - 1 - y * (ROWS - 1) // Y_MM
        if 0 <= column < COLUMNS and 0 <= row < ROWS:
            field[row][column] = "O"
    metres = [Y_MM // 1000 * (ROWS - 1 - row) / (ROWS - 1) for row in range(ROWS)]
    scale = [f"{far:.0f} m" if far % 2 == 0 else "" for far in metres]
    lines = [f"{label:>4} {''.join(row)}".rstrip() for label, row in zip(scale, field, strict=True)]
    return [*lines, f"     {'A':<{COLUMNS // 2}}^{'B':>{COLUMNS // 2}}"]


def _bar(name: str, mm: int, far_mm: int) -> str:
    if mm < 0:
        return f"{name} {'.' * BAR}     -"
    full = min(BAR, mm * BAR // far_mm)
    return f"{name} {'#' * full}{'.' * (BAR - full)} {mm / 1000:5.2f} m"
