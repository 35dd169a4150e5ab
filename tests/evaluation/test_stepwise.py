from math import log
from typing import Any

import polars as pl
import pytest

from influpath.evaluation import Judgement, judge_paths, stepwise

from .fakes import MarkovJudge, make_dataset, make_pairs, make_paths
from .test_metrics import TABLE


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    """Paths 2 3 5 (reaches at the last step), 2 3 4 (fails), 2 5 (early), none; objective 5."""
    data = make_dataset([[1]] * 4, items=5)
    paths = make_paths([[2, 3, 5], [2, 3, 4], [2, 5], []], [5] * 4)
    return judge_paths(MarkovJudge(data, TABLE), make_pairs([5] * 4), paths, data)


def curve(frame: pl.DataFrame, quantity: str) -> dict[int, tuple[Any, int]]:
    rows = frame.filter(pl.col("quantity") == quantity)
    return {
        step: (pytest.approx(mean, abs=1e-6), n)
        for step, mean, n in rows.select("step", "mean", "n").iter_rows()
    }


def test_from_the_start_without_early_successes(judgement: Judgement) -> None:
    frame = stepwise(judgement)
    assert curve(frame, "objective_prob") == {1: (0.05, 2), 2: (0.2, 2), 3: (0.5, 2)}
    # The third item is 5 (0.5) in one path and 4 (0.3) in the other.
    assert curve(frame, "item_prob") == {1: (0.4, 2), 2: (0.5, 2), 3: (0.4, 2)}
    assert curve(frame, "item_log_prob")[3] == ((log(0.5) + log(0.3)) / 2, 2)
    assert curve(frame, "objective_log_prob")[3] == (log(0.5), 2)
    assert (frame["low"] <= frame["mean"]).all()
    assert (frame["mean"] <= frame["high"]).all()


def test_early_successes_on_request(judgement: Judgement) -> None:
    frame = stepwise(judgement, early_successes=True)
    # At step 2 the early path shows 5 after 2: 0.2.
    assert curve(frame, "item_prob") == {1: (0.4, 3), 2: (0.4, 3), 3: (0.4, 2)}


def test_a_longer_horizon_makes_every_success_early(judgement: Judgement) -> None:
    frame = stepwise(judgement, max_length=20)
    assert curve(frame, "objective_prob") == {1: (0.05, 1), 2: (0.2, 1), 3: (0.5, 1)}
    with pytest.raises(ValueError, match="longer than"):
        stepwise(judgement, max_length=2)


def test_aligned_on_arrival(judgement: Judgement) -> None:
    frame = stepwise(judgement, align="arrival")
    expected = {-2: (0.05, 1), -1: ((0.2 + 0.05) / 2, 2), 0: ((0.5 + 0.2) / 2, 2)}
    assert curve(frame, "objective_prob") == expected
    # The objective is the item shown at step 0.
    assert curve(frame, "item_prob")[0] == expected[0]


def test_no_paths(judgement: Judgement) -> None:
    data = make_dataset([[1]], items=5)
    empty = judge_paths(MarkovJudge(data, TABLE), make_pairs([5]), make_paths([[]], [5]), data)
    assert stepwise(empty).columns == ["step", "quantity", "mean", "low", "high", "n"]
    assert stepwise(empty).is_empty()
    with pytest.raises(ValueError, match="align"):
        stepwise(judgement, align="end")  # type: ignore[arg-type]
