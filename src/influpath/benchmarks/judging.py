"""Part ``judging``: how long a judge reads the path table of a run.

The table is that of ``configs/ml-1m.toml``: seven planners on the report pairs (nine users in ten)
and three on 500 of them; here every path has M items, which is the most there can be.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from influpath.benchmarks import flops
from influpath.benchmarks.config import BenchConfig
from influpath.benchmarks.rounds import Measure, measure_rounds, rounded, stopwatch, value_of
from influpath.benchmarks.workloads import barely_trained, mean_attended, some_pairs, unseen_paths
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.evaluation.judging import judge_paths
from influpath.evaluation.pairs import encode_pairs, with_role
from influpath.evaluation.path_rows import encode_paths
from influpath.planning.paths import Paths
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec

PLANNERS, SUBSET_PLANNERS, SUBSET = 7, 3, 500
JUDGES: dict[str, type[Recommender]] = {"sasrec": SASRec, "bert4rec": BERT4Rec}


def measure_judging(config: BenchConfig, train: Dataset, pairs: pl.DataFrame) -> dict[str, Any]:
    """Return the part's rows, ratios, and minutes per judge for the whole table.

    Args:
        config: Share of the table, rounds.
        train: Histories.
        pairs: One pair per user, with roles.
    """
    report = with_role(pairs, "report")
    table = PLANNERS * report.height + SUBSET_PLANNERS * min(SUBSET, report.height)
    chosen = some_pairs(report, max(1, round(config.judged_share * report.height)), config.seed)
    planned = [
        unseen_paths(chosen, train, config.max_length, config.seed + number)
        for number in range(max(1, round(table * config.judged_share / chosen.height)))
    ]
    measures: list[Measure] = []
    for name, kind in JUDGES.items():
        judge = barely_trained(kind, train, {**config.judge_settings[name], "seed": config.seed})
        cost = judged_flops(judge, train.sequences.take(train.rows_of(chosen["user_id"])), config)
        reference = f"{name}, one prefix at a time"
        measures += [
            Measure(
                reference,
                "paths/s",
                one_by_one(judge, chosen, planned[0], train, config.judged_one_by_one),
                cost,
                note=f"{config.judged_one_by_one} prefixes, each read alone",
            ),
            Measure(
                name,
                "paths/s",
                judged(judge, chosen, planned, train),
                cost,
                reference,
                f"{len(planned)} x {chosen.height:,} paths of {config.max_length} items",
            ),
        ]
    rounds = measure_rounds("judging", measures, config.repeats, config.matrix_size)
    rows = rounds.rows(measures)
    minutes = {name: rounded(table / float(value_of(rows, name) or 1) / 60) for name in JUDGES}
    return {
        "rows": rows,
        "ratios": {f"judge_{name}": value_of(rows, name, "ratio") for name in JUDGES},
        "minutes": {"path_table": minutes["sasrec"], "path_table_bert4rec": minutes["bert4rec"]},
        "paths_of_the_table": table,
        "peak": rounds.peak(),
    }


def judged(
    judge: Recommender, pairs: pl.DataFrame, planned: list[Paths], train: Dataset
) -> Callable[[], float]:
    """Return what measures a judge on several planners' paths."""

    def run() -> float:
        clock = stopwatch()
        for paths in planned:
            judge_paths(judge, pairs, paths, train)
        return len(planned) * pairs.height / clock()

    return run


def one_by_one(
    judge: Recommender, pairs: pl.DataFrame, paths: Paths, train: Dataset, prefixes: int
) -> Callable[[], float]:
    """Return what measures a judge that is asked for every prefix by itself."""
    numbers = encode_pairs(pairs, train)
    rows, _ = encode_paths(numbers, paths, train.items)
    histories = train.sequences.take(numbers.user_rows)
    lengths: IntArray = rows.lengths
    steps = int(lengths.max()) + 1
    asked = [
        np.concatenate([histories.row(row), rows.row(row)[:step]])
        for row in range(len(rows))
        for step in range(steps)
    ][:prefixes]

    def run() -> float:
        clock = stopwatch()
        for prefix in asked:
            judge.log_probs(Sequences.from_rows([prefix]))
        return len(asked) / steps / clock()

    return run


def judged_flops(judge: Recommender, histories: Sequences, config: BenchConfig) -> float:
    """Return the FLOPs that judging one path needs."""
    settings: Any = judge.config
    width, prefixes = int(settings.embedding_size), config.max_length + 1
    blocks = int(settings.blocks)
    output = prefixes * flops.output_flops(width, judge.item_count)
    lengths = np.minimum(histories.lengths + config.max_length, settings.max_length)
    if isinstance(judge, BERT4Rec):
        read = flops.layer_flops(width, float(lengths.mean())) * float(lengths.mean())
        return prefixes * blocks * read + output
    layer = flops.layer_flops(width, mean_attended(lengths, settings.max_length))
    return float(lengths.mean()) * blocks * layer + output
