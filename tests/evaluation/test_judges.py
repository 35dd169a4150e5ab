"""Several judges: worst case and mean."""

import math

import pytest

from influpath.data import leave_last_out
from influpath.errors import ResultError
from influpath.evaluation import METRICS, evaluate, evaluate_judges
from influpath.evaluation.judges import AcrossJudges, across_judges
from influpath.planning.algorithm import plan
from influpath.planning.direct import DirectPlanner
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_dataset, tiny_pairs


@pytest.mark.parametrize(
    ("higher", "expected"),
    [
        (True, AcrossJudges(2.0, 1.0, "a")),
        (False, AcrossJudges(2.0, 3.0, "b")),
        (None, AcrossJudges(2.0, math.nan, "")),
    ],
)
def test_the_worst_is_the_least_favourable(higher: bool | None, expected: AcrossJudges) -> None:
    found = across_judges({"a": 1.0, "b": 3.0, "c": math.nan}, higher)
    assert (found.mean, found.worst_judge) == (expected.mean, expected.worst_judge)
    assert found.worst == pytest.approx(expected.worst, nan_ok=True)


def test_nothing_defined_is_nothing_said() -> None:
    found = across_judges({"a": math.nan}, True).to_dict()
    assert found == {"mean": None, "worst": None, "worst_judge": None}


def test_every_judge_has_its_table_and_the_summary_holds_them_together() -> None:
    dataset = tiny_dataset()
    split, pairs = leave_last_out(dataset), tiny_pairs(dataset)
    judges = {
        f"judge {seed}": SASRec(embedding_size=8, blocks=1, seed=seed, training={"epochs": 1}).fit(
            split.train
        )
        for seed in (1, 2)
    }
    model = SASRec(embedding_size=8, blocks=1, seed=3, training={"epochs": 1}).fit(split.train)
    planners = {"direct": DirectPlanner(dataset.items), "vanilla": VanillaPlanner(model)}
    paths = {
        name: plan(planner, pairs, split.train, max_length=3) for name, planner in planners.items()
    }
    both = evaluate_judges(judges, pairs, paths, split.train)
    for name, judge in judges.items():
        alone = evaluate(judge, pairs, paths, split.train)
        assert both.by_judge[name].to_dict() == alone.to_dict()
    across = both.to_dict()["across_judges"]
    assert list(across) == list(planners)
    for planner, row in across.items():
        for metric, at in row.items():
            means = [each.means(planner)[metric] for each in both.by_judge.values()]
            if METRICS[metric].higher_is_better is not None and not math.isnan(means[0]):
                assert at["worst"] in means
                better = METRICS[metric].higher_is_better
                assert at["worst"] == (min(means) if better else max(means))
    text = both.text()
    assert "over 2 judges" in text
    assert all(line in text for line in (*judges, *planners))
    with pytest.raises(ResultError, match="no judge"):
        evaluate_judges({}, pairs, paths, split.train)
