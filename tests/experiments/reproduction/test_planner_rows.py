"""Planners in tables and sentences: directions, families, orders, undefined numbers."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from influpath.experiments.reproduction.planner_rows import (
    best,
    dials_text,
    in_paper_order,
    in_short,
    over_seeds,
    planner_table,
    rank_correlation,
    sides,
)


def test_sides_follow_the_metrics_direction_and_the_interval() -> None:
    def interval(low: float | None, high: float | None) -> dict[str, Any]:
        return {"mean": 1.0, "ci95": [low, high], "n": 9}

    differences = {
        "irn - a": {"log_ppl": interval(-2, -1), "ioi": interval(-2, -1)},
        "irn - b": {"log_ppl": interval(1, 2), "ioi": interval(1, 2)},
        "irn - c": {"log_ppl": interval(-1, 1), "ioi": interval(0, 1)},
        "irn - d": {"log_ppl": interval(None, None), "ioi": interval(None, None)},
        "other - e": {"log_ppl": interval(1, 2), "ioi": interval(1, 2)},
    }
    assert sides(differences, "irn", "log_ppl") == (["a"], ["b"], ["c", "d"])
    assert sides(differences, "irn", "ioi") == (["b"], ["a"], ["c", "d"])


def test_a_whole_family_is_named_once() -> None:
    among = ["rec2inf/pop", "irn", "rec2inf/bpr", "mst", "vanilla/pop"]
    assert in_short(["rec2inf/bpr", "mst", "rec2inf/pop"], among) == "mst and all 2 rec2inf"
    assert in_short(["rec2inf/pop", "vanilla/pop"], among) == "vanilla/pop and rec2inf/pop"
    assert in_short([], among) == "none"


def test_the_order_is_the_papers_and_then_ours() -> None:
    assert in_paper_order(["oracle", "irn", "bridge", "mst", "rec2inf/caser", "vanilla/pop"]) == [
        *("mst", "vanilla/pop", "rec2inf/caser", "irn", "oracle", "bridge")
    ]


@pytest.mark.parametrize("seed", range(4))
def test_rank_correlation_is_spearmans(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [str(n) for n in range(9)]
    ours = dict(zip(names, rng.integers(0, 5, 9).tolist(), strict=True))
    theirs: dict[str, float | None] = dict(zip(names, rng.normal(size=9).tolist(), strict=True))
    found = rank_correlation(ours, theirs)
    assert found == pytest.approx(spearmanr(list(ours.values()), list(theirs.values())).statistic)
    theirs["3"] = None
    rest = [name for name in names if name != "3"]
    expected = spearmanr([ours[n] for n in rest], [theirs[n] for n in rest]).statistic
    assert rank_correlation(ours, theirs) == pytest.approx(expected)
    assert rank_correlation(ours, dict.fromkeys(names, 1.0)) is None
    assert rank_correlation({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0}) is None


def test_the_best_share_their_place() -> None:
    assert best({"a": 1.0, "b": 2.0, "c": 2.0, "d": None}, "ioi") == ["b", "c"]
    assert best({"a": 1.0, "b": 2.0}, "log_ppl") == ["a"]
    assert best({"a": None}, "ioi") == []


def test_planner_table_leaves_undefined_numbers_empty() -> None:
    row = {
        "sr": {"mean": 0.0, "ci95": [0.0, 0.0], "n": 7},
        "ioi": {"mean": -0.0004, "ci95": [None, None], "n": 7},
        "log_ppl": {"mean": None, "ci95": [None, None], "n": 0},
    }
    lines = planner_table({"mst": row}, ("sr", "ioi", "log_ppl")).splitlines()
    assert lines[2] == "| mst | 7 | 0.000 [0.000, 0.000] | 0.00 |  |"


def test_dials_read_as_people_write_them() -> None:
    ramp = {"start": 1.0, "end": 6.0}
    assert dials_text({"guidance": ramp, "pace": 3, "floor": [5, 9]}) == (
        "guidance 1..6, pace 3, floor 5,9"
    )
    assert dials_text({"distance": "genre", "cached": True}) == "distance genre, cached True"
    assert dials_text({}) == "defaults"


def test_further_seeds_are_told_where_there_are_any() -> None:
    at = {"mean": {"mean": 2.5, "sd": 0.125, "by_seed": [2.4, 2.6]}}
    document = {"seeds": 2, "spread": {"planners": {"irn": {"ioi": at}}}}
    told = over_seeds(document, "irn", ("sr", "ioi"))
    assert told.startswith("Over 2 seeds of all models, irn has IoI 2.50 (sd 0.12). ")
    assert over_seeds({"seeds": 1, "spread": None}, "irn", ("ioi",)) == ""
