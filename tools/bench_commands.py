"""`trottoir bench ...`: one function a command. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tools.arguments import expect, whole
from tools.bench.amounts import FULL
from tools.terminal import config_path, t


def page(*, seconds: Annotated[int, Parameter(help=t("help.bench-seconds"), converter=whole)] = 40) -> int:
    from tools.bench_page import run_bench

    expect("--seconds", seconds, 4 <= seconds <= 86_400, "bench.range")
    return run_bench(seconds)


def store(*, records: Annotated[int, Parameter(help=t("help.bench-records"), converter=whole)] = 20_000) -> int:
    from gateway import config
    from tools.bench_store import run_bench

    expect("--records", records, 1000 <= records <= 10_000_000, "bench.range-records")
    return run_bench(records, config.load(config_path()))


def chain(
    *,
    records: Annotated[int, Parameter(help=t("help.bench-records"), converter=whole)] = 20_000,
    drain: Annotated[float | None, Parameter(help=t("help.bench-drain"))] = None,
    nodes: Annotated[int, Parameter(help=t("help.bench-nodes"), converter=whole)] = 50,
) -> int:
    from tools import bench_chain, bench_drain

    expect("--records", records, 1000 <= records <= 10_000_000, "bench.range-records")
    expect("--drain", drain, drain is None or 0 < drain <= 366, "bench.range-days")
    expect("--nodes", nodes, 1 <= nodes <= 256, "bench.range-nodes")
    return bench_chain.run_bench(records, nodes) if drain is None else bench_drain.run_drain(drain, nodes)


def soak(
    *,
    days: Annotated[float, Parameter(help=t("help.bench-days"))] = 1.0,
    nodes: Annotated[int, Parameter(help=t("help.bench-nodes"), converter=whole)] = 50,
) -> int:
    from tools.bench_soak import run_soak

    expect("--days", days, 0 < days <= 3660, "bench.range-soak")
    expect("--nodes", nodes, 1 <= nodes <= 256, "bench.range-nodes")
    return run_soak(days, nodes)


def air(
    *,
    minutes: Annotated[int, Parameter(help=t("help.bench-minutes"), converter=whole)] = 60,
    nodes: Annotated[int, Parameter(help=t("help.bench-nodes"), converter=whole)] = 50,
) -> int:
    from tools.bench_air import run_bench

    expect("--minutes", minutes, 1 <= minutes <= 1440, "bench.range-minutes")
    expect("--nodes", nodes, 1 <= nodes <= 256, "bench.range-nodes")
    return run_bench(nodes, minutes)


def core(
    *,
    records: Annotated[int, Parameter(help=t("help.bench-bulk"), converter=whole)] = FULL["records"],
    turns: Annotated[int, Parameter(help=t("help.bench-turns"), converter=whole)] = FULL["turns"],
) -> int:
    from tools.bench_core import run_bench

    expect("--records", records, 1000 <= records <= 1_000_000, "bench.range-bulk")
    expect("--turns", turns, 1 <= turns <= 1000, "bench.range-turns")
    return run_bench(records, turns)


def batch(
    *,
    rows: Annotated[int, Parameter(help=t("help.bench-rows"), converter=whole)] = FULL["minutes"],
    turns: Annotated[int, Parameter(help=t("help.bench-turns"), converter=whole)] = FULL["turns"],
) -> int:
    from tools.bench_batch import run_bench

    expect("--rows", rows, 1000 <= rows <= 2_000_000, "bench.range-rows")
    expect("--turns", turns, 1 <= turns <= 1000, "bench.range-turns")
    return run_bench(rows, turns)
