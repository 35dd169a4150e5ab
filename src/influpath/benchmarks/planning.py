"""Part ``planning``: influence paths per second, at neutral dials and as shipped.

The models have barely been trained, so that hardly any path ends early: a path is M steps.
"""

import logging
from collections.abc import Callable
from typing import Any

import polars as pl

from influpath.benchmarks import flops
from influpath.benchmarks.config import SHIPPED_DIALS, BenchConfig
from influpath.benchmarks.plain_irn import PlainIRN
from influpath.benchmarks.plain_planning import PlainPlanner
from influpath.benchmarks.rounds import Measure, measure_rounds, rounded, stopwatch, value_of
from influpath.benchmarks.training import NO_ITEM2VEC
from influpath.benchmarks.workloads import barely_trained, some_pairs
from influpath.data.dataset import Dataset
from influpath.irn.model import IRN
from influpath.planning.algorithm import encode_pairs, plan
from influpath.planning.irn import IRNDials, IRNPlanner

logger = logging.getLogger("influpath.bench")

# Dials by the name in results.
DIALS: dict[str, dict[str, Any]] = {"neutral": {}, "shipped": SHIPPED_DIALS}


def measure_planning(config: BenchConfig, train: Dataset, pairs: pl.DataFrame) -> dict[str, Any]:
    """Return the part's rows and ratios, and the time of all users at the shipped dials.

    Args:
        config: Pairs, sizes, rounds.
        train: Histories.
        pairs: One pair per user.
    """
    sizes = {"at the paper's size": config.paper_irn, "as shipped": config.shipped_irn}
    measures, planners = [], {}
    for size, settings in sizes.items():
        model = barely_trained(IRN, train, {**settings, **NO_ITEM2VEC, "seed": config.seed})
        for name, dials in DIALS.items():
            planners[size, name] = IRNPlanner(model, **dials)
            measures += planning_measures(config, train, pairs, planners[size, name], name, size)
    rounds = measure_rounds("planning", measures, config.repeats, config.matrix_size)
    rows = rounds.rows(measures)
    shipped = "IRN as shipped, shipped dials"
    whole = None
    expected = pairs.height / (value_of(rows, shipped) or 1.0) / 60
    if expected <= config.whole_plan_minutes:
        logger.info("planning: all %d users at the shipped dials", pairs.height)
        clock = stopwatch()
        plan(planners["as shipped", "shipped"], pairs, train, config.max_length)
        whole = rounded(clock() / 60)
    return {
        "rows": rows,
        "ratios": {
            "plan_irn": value_of(rows, "IRN at the paper's size, neutral dials", "ratio"),
            "plan_irn_shipped": value_of(rows, shipped, "ratio"),
            "plan_irn_shipped_size": value_of(rows, "IRN as shipped, neutral dials", "ratio"),
            "plan_irn_shipped_dials": value_of(
                rows, "IRN at the paper's size, shipped dials", "ratio"
            ),
        },
        "minutes": {"plan_shipped": whole},
        "peak": rounds.peak(),
    }


def planning_measures(
    config: BenchConfig,
    train: Dataset,
    pairs: pl.DataFrame,
    planner: IRNPlanner,
    name: str,
    size: str,
) -> list[Measure]:
    """Return planning by the package and straightforwardly, with the same model and dials."""
    dials = planner.config
    few = config.plain_pairs if name == "neutral" else config.plain_shipped_pairs
    many = config.plan_pairs if name == "neutral" else config.plan_shipped_pairs
    own = some_pairs(pairs, many, config.seed)
    reference = f"straightforward IRN {size}, {name} dials"
    cost = path_flops(planner.model, dials, config.max_length, len(train.items))
    chosen = some_pairs(own, few, config.seed)
    return [
        Measure(
            reference,
            "paths/s",
            plain_rate(planner, chosen, train, config.max_length),
            cost,
            note=f"{chosen.height} paths; every window is read again at every step"
            + (" and after every candidate" if dials.looks_ahead else ""),
        ),
        Measure(
            f"IRN {size}, {name} dials",
            "paths/s",
            own_rate(planner, own, train, config.max_length),
            cost,
            reference,
            f"{own.height:,} paths of {config.max_length} steps",
        ),
    ]


def own_rate(
    planner: IRNPlanner, pairs: pl.DataFrame, train: Dataset, max_length: int
) -> Callable[[], float]:
    """Return what measures the package."""

    def run() -> float:
        clock = stopwatch()
        plan(planner, pairs, train, max_length)
        return pairs.height / clock()

    return run


def plain_rate(
    planner: IRNPlanner, pairs: pl.DataFrame, train: Dataset, max_length: int
) -> Callable[[], float]:
    """Return what measures the straightforward implementation."""
    dials: IRNDials = planner.config
    plain = PlainPlanner(PlainIRN.of(planner.model.module), dials, max_length)
    histories, objectives, users = encode_pairs(planner, pairs, train)
    rows = [histories.row(row).tolist() for row in range(len(histories))]

    def run() -> float:
        clock = stopwatch()
        plain.plan(rows, objectives.tolist(), users.tolist())
        return len(rows) / clock()

    return run


def path_flops(model: IRN, dials: IRNDials, max_length: int, items: int) -> float:
    """Return the FLOPs that one path needs."""
    config = model.config
    known = config.l_max - max_length
    ahead = min(dials.lookahead_top, int(str(dials.floor))) if dials.looks_ahead else 0
    return flops.planning_flops(
        flops.layer_flops(config.embedding_size, (known + max_length) / 2 + 1),
        config.layers,
        known,
        max_length,
        flops.output_flops(config.embedding_size, items),
        readings=1 if dials == IRNDials() else 2,
        ahead=ahead,
    )
