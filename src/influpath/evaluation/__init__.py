"""How good influence paths are: pairs, judges, metrics, intervals and tables.

    pairs = with_role(sample_pairs(dataset, seed=7), "report")
    evaluation = evaluate(judge, pairs, {"irn": irn_paths, "vanilla": vanilla_paths}, split.train)
    print(evaluation.text())

A judge reads every path once (``judge_paths``); all metrics and stepwise curves come from what it
said.  A pair without a path counts as a failure in every mean, and the count behind every mean
stands beside it.
"""

from influpath.evaluation.calibration import Calibration, calibrate
from influpath.evaluation.dials import DialChoice, choose_dial
from influpath.evaluation.intervals import (
    Interval,
    bootstrap_mean,
    bootstrap_means,
    paired_difference,
)
from influpath.evaluation.judges import JudgesEvaluation, evaluate_judges
from influpath.evaluation.judging import Judgement, judge_at, judge_paths
from influpath.evaluation.metrics import METRICS, Metric, catalogue_coverage
from influpath.evaluation.next_item import hit_rate, mrr, next_item_ranks, next_item_values
from influpath.evaluation.pairs import (
    encode_pairs,
    fixed_subset,
    read_pairs,
    sample_pairs,
    with_role,
    write_pairs,
)
from influpath.evaluation.path_rows import PlannedPaths
from influpath.evaluation.ranks import ranks_from_scores
from influpath.evaluation.reliability import Reliability, reliability
from influpath.evaluation.stepwise import stepwise
from influpath.evaluation.strata import (
    Strata,
    Stratum,
    by_history_length,
    by_popularity,
    by_start_rank,
    stratify,
)
from influpath.evaluation.table import Evaluation, evaluate, summarise

__all__ = [
    "METRICS",
    "Calibration",
    "DialChoice",
    "Evaluation",
    "Interval",
    "Judgement",
    "JudgesEvaluation",
    "Metric",
    "PlannedPaths",
    "Reliability",
    "Strata",
    "Stratum",
    "bootstrap_mean",
    "bootstrap_means",
    "by_history_length",
    "by_popularity",
    "by_start_rank",
    "calibrate",
    "catalogue_coverage",
    "choose_dial",
    "encode_pairs",
    "evaluate",
    "evaluate_judges",
    "fixed_subset",
    "hit_rate",
    "judge_at",
    "judge_paths",
    "mrr",
    "next_item_ranks",
    "next_item_values",
    "paired_difference",
    "ranks_from_scores",
    "read_pairs",
    "reliability",
    "sample_pairs",
    "stepwise",
    "stratify",
    "summarise",
    "with_role",
    "write_pairs",
]
