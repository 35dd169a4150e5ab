import math

import pytest

from influpath.errors import ResultError
from influpath.evaluation import choose_dial

VANILLA = 4.0


def means(accepted: float, ioi: float, log_ppl: float, worst: float = 7.0) -> dict[str, float]:
    return {"accepted_sr@20": accepted, "ioi": ioi, "log_ppl": log_ppl, "worst_step": worst}


def test_accepted_success_then_interest_among_the_smooth() -> None:
    candidates = {
        "wild": means(0.9, 6.0, 4.81),
        "good": means(0.3, 4.0, 4.8),
        "better": means(0.3, 4.5, 4.7),
        "calm": means(0.1, 5.0, 4.1),
    }
    choice = choose_dial(candidates, VANILLA)
    assert choice.dial == "better"
    assert choice.qualified == ("better", "good", "calm")
    assert "highest accepted SR@20 (0.300)" in choice.reason
    assert choose_dial(candidates, VANILLA, margin=1.0).dial == "wild"


def test_equal_candidates_go_to_the_smoother_then_the_first() -> None:
    assert choose_dial({1: means(0.3, 4, 4.5), 2: means(0.3, 4, 4.4)}, VANILLA).dial == 2
    assert choose_dial({1: means(0.3, 4, 4.4), 2: means(0.3, 4, 4.4)}, VANILLA).dial == 1


def test_worst_step_cap() -> None:
    candidates = {"rough": means(0.5, 5, 4.5, worst=10.0), "even": means(0.2, 4, 4.5, worst=7.0)}
    assert choose_dial(candidates, VANILLA).dial == "rough"
    choice = choose_dial(candidates, VANILLA, worst_step_cap=8.0)
    assert choice.dial == "even"
    assert "worst step at most 8.00" in choice.reason


def test_none_qualifies() -> None:
    candidates = {"a": means(0.9, 6, 6.0), "b": means(0.1, 1, 5.5), "c": means(0, 0, math.nan)}
    choice = choose_dial(candidates, VANILLA)
    assert choice.dial == "b"
    assert choice.qualified == ()
    assert "none of 3" in choice.reason
    assert "5.50" in choice.reason


def test_nothing_to_choose_from() -> None:
    with pytest.raises(ResultError, match="no dial"):
        choose_dial({}, VANILLA)
    with pytest.raises(ResultError, match="found any path"):
        choose_dial({"c": means(0, 0, math.nan, math.nan)}, VANILLA)
    with pytest.raises(ResultError, match="lack ioi"):
        choose_dial({"c": {"accepted_sr@20": 0.1, "log_ppl": 4.0}}, VANILLA)
    with pytest.raises(ResultError, match="vanilla"):
        choose_dial({"c": means(0, 0, 4.0)}, math.nan)
