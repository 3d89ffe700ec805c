"""How right the counts are: scenes by seed through the sensors' models and the firmware, held against the goals.

    .venv/bin/python -m tools.accuracy --seeds 6 --minutes 30
    .venv/bin/python -m tools.accuracy --scenes steady,stress --sensors ld2450 --json
    .venv/bin/python -m tools.accuracy --write traces --scenes busy --seed 3 --minutes 10

Exit code 1 where a floor is missed. `--write` only writes the traces, as `node replay` reads them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway.errors import EXIT_CHECK_FAILED, EXIT_ENVIRONMENT, EXIT_OK
from tools import micropython
from tools.accuracy import report
from tools.accuracy.goals import DENSITIES, Density, Verdict
from tools.accuracy.plays import Played, Wish, play_all
from tools.accuracy.pool import Row, pooled
from tools.amount import at_least
from tools.progress import bar
from tools.street.recording import RECORDERS, record
from tools.street.scenes import SCENES

SEEDS, MINUTES = 6, 30


def _names(known: Iterable[str]):
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"found {name}, expected some of {','.join(known)}")
        return names

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m tools.accuracy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=at_least(1), default=SEEDS, help=f"how many plays of each scene ({SEEDS})")
    parser.add_argument("--seed", type=at_least(0), default=1, help="the first of them (1)")
    parser.add_argument("--minutes", type=at_least(1), default=MINUTES, help=f"of each play ({MINUTES})")
    parser.add_argument("--scenes", type=_names(SCENES), default=tuple(SCENES), help=",".join(SCENES))
    parser.add_argument("--sensors", type=_names(RECORDERS), default=tuple(RECORDERS), help=",".join(RECORDERS))
    parser.add_argument("--jobs", type=at_least(1), default=os.cpu_count() or 1, help="how many plays at once")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one document")
    how.add_argument("--readme", action="store_true", help="write the table of all scenes and sensors into README.md")
    how.add_argument("--write", type=Path, metavar="DIR", help="write the scenes' traces there, and play nothing")
    return parser


def _chosen(wish: argparse.Namespace) -> list[tuple[Density, str, list[str]]]:
    """Every class and sensor, with its scenes."""
    found = []
    for density in DENSITIES:
        scenes = [name for name in density.scenes if name in wish.scenes]
        found += [(density, sensor, scenes) for sensor in density.sensors if sensor in wish.sensors and scenes]
    return found


def measure(wish: argparse.Namespace) -> list[Row]:
    """A row for each class and sensor."""
    chosen = _chosen(wish)
    wishes = [
        Wish(scene, sensor, str(seed), wish.minutes * 60)
        for _, sensor, scenes in chosen
        for scene in scenes
        for seed in range(wish.seed, wish.seed + wish.seeds)
    ]
    with bar("plays", len(wishes)) as done:
        plays = []
        for played in play_all(wishes, wish.jobs):
            plays.append(played)
            done(len(plays))
    return [pooled(density, sensor, _of(plays, sensor, scenes), f"{wish.seed}/{density.name}/{sensor}")
            for density, sensor, scenes in chosen]  # fmt: skip


def _of(plays: Sequence[Played], sensor: str, scenes: Sequence[str]) -> list[Played]:
    return [played for played in plays if played.wish.sensor == sensor and played.wish.scene in scenes]


def write(wish: argparse.Namespace) -> None:
    """DIR/SCENE-SEED of every scene and seed."""
    for name in wish.scenes:
        for seed in range(wish.seed, wish.seed + wish.seeds):
            folder = wish.write / f"{name}-{seed}"
            record(SCENES[name].play(str(seed), wish.minutes * 60), folder, wish.sensors)
            print(folder)


def main(words: list[str]) -> int:
    parser = _parser()
    wish = parser.parse_args(words)
    if wish.readme and (wish.scenes, wish.sensors) != (tuple(SCENES), tuple(RECORDERS)):
        parser.error("the README's table is that of all scenes and sensors")
    if not _chosen(wish):
        parser.error("none of these sensors looks at any of these scenes")
    if wish.write:
        write(wish)
        return EXIT_OK
    if micropython.find() is None:
        print("tools.accuracy: no micropython beside this Python or on the PATH", file=sys.stderr)
        return EXIT_ENVIRONMENT
    rows = measure(wish)
    run = report.Run(wish.seed, wish.seeds, wish.minutes)
    if wish.readme:
        text = report.README.read_text(encoding="utf-8")
        report.README.write_text(report.renewed(text, report.as_markdown(run, rows)), encoding="utf-8")
    print(json.dumps(report.document(run, rows)) if wish.json else report.as_text(run, rows))
    return EXIT_CHECK_FAILED if any(row.verdict is Verdict.MISSED for row in rows) else EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
