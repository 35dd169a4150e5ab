import json
from pathlib import Path

import numpy as np
import pytest

from influpath.errors import ResultError
from influpath.evaluation import METRICS, evaluate, judge_paths, summarise
from influpath.planning.paths import Paths

from .fakes import HashJudge, make_paths, random_case


def test_numbers_names_and_text() -> None:
    case = random_case(7, users=12)
    judge = HashJudge(case.dataset)
    direct = make_paths([[objective] for objective in case.objectives], case.objectives)
    planners = {"random": case.paths, "direct": direct}
    result = evaluate(judge, case.pairs, planners, case.dataset, seed=3)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["judge"] == "fake"
    assert content["pairs"] == 12
    assert list(content["planners"]) == ["random", "direct"]
    for name, paths in planners.items():
        judgement = judge_paths(judge, case.pairs, paths, case.dataset)
        row = content["planners"][name]
        assert list(row) == list(METRICS)
        for metric, cell in row.items():
            values = METRICS[metric].function(judgement)
            assert cell["mean"] == pytest.approx(np.nanmean(values))
            assert cell["n"] == np.isfinite(values).sum()
            assert cell["ci95"][0] <= cell["mean"] <= cell["ci95"][1]
    assert content["planners"]["direct"]["sr"] == {"mean": 1.0, "ci95": [1.0, 1.0], "n": 12}
    assert result.means("direct")["ioi"] == 0
    frame = result.frame()
    assert frame.columns == ["planner", "metric", "mean", "low", "high", "n"]
    assert frame.height == 2 * len(METRICS)
    text = result.text(width=90)
    assert "judge fake, 12 pairs" in text
    assert "1.000 [1.000, 1.000] n=12" in text
    assert "coverage" in text
    assert max(map(len, text.splitlines())) <= 90
    # Too narrow for both planners: two tables, nothing cut off.
    narrow = result.text(width=60, metrics=["sr", "log_ppl"])
    assert narrow.count("judge fake") == 2
    assert "ioi" not in narrow


def test_differences_are_paired() -> None:
    case = random_case(7, users=12)
    judge = HashJudge(case.dataset)
    result = evaluate(judge, case.pairs, {"a": case.paths, "b": case.paths}, case.dataset)
    assert result.difference("a", "b", "ioi").to_dict() == {
        "mean": 0.0,
        "ci95": [0.0, 0.0],
        "n": 12,
    }
    assert result.difference("a", "b", "log_ppl").count == sum(map(bool, case.rows))


def test_rows_must_be_on_the_same_pairs() -> None:
    case = random_case(7)
    judge = HashJudge(case.dataset)
    one = judge_paths(judge, case.pairs, case.paths, case.dataset)
    two = judge_paths(judge, case.pairs[1:], case.paths, case.dataset)
    with pytest.raises(ResultError, match="planner two: every row"):
        summarise({"one": one, "two": two})
    with pytest.raises(ResultError, match="no planner"):
        summarise({})


def test_takes_what_the_planners_return(tmp_path: Path) -> None:
    case = random_case(7, users=12)
    judge = HashJudge(case.dataset)
    Paths.from_steps(case.paths.steps, case.pairs).write(tmp_path / "paths.parquet")
    paths = Paths.read(tmp_path / "paths.parquet", case.pairs)
    result = evaluate(judge, case.pairs, paths, case.dataset)
    expected = evaluate(judge, case.pairs, {"planner": case.paths}, case.dataset)
    assert result.to_dict() == expected.to_dict()
    some = case.pairs[2:5]
    assert (
        evaluate(judge, some, paths, case.dataset).to_dict()
        == evaluate(judge, some, paths.of_pairs(some), case.dataset).to_dict()
    )
