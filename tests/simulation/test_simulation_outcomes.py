"""What visits come to, on visits made by hand."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from influpath.errors import ResultError
from influpath.simulation.outcomes import MEASURES, Outcomes
from influpath.simulation.visits import Visits

PAIRS = pl.DataFrame({"pair_id": [7, 5, 6]})


def visits(*rounds: tuple[int, int, str, float, str | None]) -> Visits:
    """Rows ``pair_id, round, response, shift, end``."""
    rows = [
        {
            "pair_id": pair,
            "round": number,
            "item_id": None if response == "nothing" else "x",
            "response": response,
            "acceptance": 0.5,
            "event_id": None,
            "push": 1.0,
            "shift": shift,
            "end": end,
        }
        for pair, number, response, shift, end in rounds
    ]
    return Visits(pl.DataFrame(rows, infer_schema_length=None))


PLAIN = visits(
    (7, 1, "accepted", 0.1, None),
    (7, 2, "accepted", 0.2, "left"),
    (5, 1, "rejected", 0.0, None),
    (5, 2, "ignored", 0.0, None),
    (5, 3, "accepted", 0.3, "stayed"),
    (6, 1, "accepted", 0.1, None),
    (6, 2, "accepted", 0.1, None),
    (6, 3, "accepted", 0.4, "alone"),
)
OTHER = visits(
    (5, 1, "accepted", 0.5, "arrived"),
    (6, 1, "nothing", 0.0, None),
    (6, 2, "nothing", 0.0, None),
    (6, 3, "nothing", 0.0, "stayed"),
    (7, 1, "rejected", 0.1, None),
    (7, 2, "accepted", 0.3, None),
    (7, 3, "accepted", 0.6, "arrived"),
)


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes.of({"plain": PLAIN, "other": OTHER}, PAIRS, rounds=3, plain="plain")


def test_measures(outcomes: Outcomes) -> None:
    expected: dict[str, list[float]] = {
        "arrived": [1, 1, 0],
        "rounds_to_arrival": [3, 1, np.nan],
        "left": [0, 0, 0],
        "rejected": [1, 0, 0],
        "acceptance": [2 / 3, 1, np.nan],
        "shown": [3, 1, 0],
        "alone": [0, 0, 0],
        "shift": [0.6, 0.5, 0.0],
        # The plain recommender's user 7 left after round 2 and stays as it was then.
        "induced_shift": [0.6 - 0.2, 0.5 - 0.0, 0.0 - 0.4],
    }
    assert outcomes.values["other"].keys() == expected.keys() == MEASURES.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(outcomes.values["other"][name], values, atol=1e-12)
    assert outcomes.values["plain"]["left"].tolist() == [1, 0, 0]
    assert outcomes.values["plain"]["alone"].tolist() == [0, 0, 1]
    assert outcomes.values["plain"]["induced_shift"].tolist() == [0, 0, 0]


def test_curves_and_differences(outcomes: Outcomes) -> None:
    curve = [interval.mean for interval in outcomes.curve("other", "arrived", seed=1)]
    assert curve == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert [i.mean for i in outcomes.curve("plain", "left", seed=1)] == pytest.approx(
        [0, 1 / 3, 1 / 3]
    )
    difference = outcomes.difference("other", "plain", "arrived", seed=1)
    assert difference.mean == pytest.approx(2 / 3)
    assert difference.count == 3
    # Only users for whom it is defined under both.
    assert outcomes.difference("other", "plain", "acceptance", seed=1).count == 2
    document: dict[str, Any] = outcomes.to_dict(seed=1, compared=("other",))
    assert document["differences"].keys() == {"other - plain"}
    assert document["planners"]["other"]["arrived"]["mean"] == pytest.approx(2 / 3)
    assert len(document["curves"]["plain"]["arrived"]) == 3


def test_every_pair_counts() -> None:
    missing = Visits(OTHER.rounds.filter(pl.col("pair_id") != 6))
    with pytest.raises(ResultError, match="other: 1 of 3 pairs"):
        Outcomes.of({"other": missing}, PAIRS, rounds=3)
