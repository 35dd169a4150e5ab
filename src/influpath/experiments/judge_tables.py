"""The same paths under every evaluator of a run: as it is, calibrated, and over all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from influpath.data.splits import Split
from influpath.evaluation import (
    Calibration,
    JudgesEvaluation,
    calibrate,
    summarise,
)
from influpath.evaluation.judging import Judgement
from influpath.evaluation.table import Evaluation
from influpath.recommenders.base import Recommender


@dataclass(frozen=True, eq=False)
class Rating:
    """What one judge says of all planners.

    Attributes:
        evaluation: At temperature 1.
        calibration: The judge's own.
        calibrated: At the judge's own temperature.
    """

    evaluation: Evaluation
    calibration: Calibration
    calibrated: Evaluation


def rate(
    judges: Mapping[str, Recommender],
    judged: Callable[[str, tuple[float, ...]], Sequence[Mapping[str, Judgement]]],
    split: Split,
    seed: int,
) -> dict[str, Rating]:
    """Let every judge rate every planner on the same pairs.

    Args:
        judges: Name -> evaluator, the headline judge first.
        judged: Judge and temperatures -> every planner's judgement at each of them.
        split: Histories, and the held-out items that calibration is measured on.
        seed: Decides the bootstrap.
    """
    ratings = {}
    for name, judge in judges.items():
        calibration = calibrate(judge, split)
        plain, calibrated = judged(name, (1.0, calibration.temperature))
        ratings[name] = Rating(summarise(plain, seed), calibration, summarise(calibrated, seed))
    return ratings


def judge_tables(ratings: Mapping[str, Rating]) -> dict[str, Any]:
    """Return the ratings for JSON.

    Returns:
        ``judges.<name>``: the table at temperature 1 as ``Evaluation.to_dict``, ``calibration``,
        and ``calibrated``, the planners' rows at the judge's own temperature; ``across_judges``:
        worst case and mean over the judges at temperature 1.
    """
    tables = {
        name: {
            **rating.evaluation.to_dict(),
            "calibration": rating.calibration.to_dict(),
            "calibrated": rating.calibrated.to_dict()["planners"],
        }
        for name, rating in ratings.items()
    }
    evaluations = {name: rating.evaluation for name, rating in ratings.items()}
    across = JudgesEvaluation(evaluations).to_dict()["across_judges"]
    return {"judges": tables, "across_judges": across}
