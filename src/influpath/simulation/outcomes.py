"""What the closed loop came to: one number per user and measure, means with intervals, differences.

Every planner meets the same users with the same luck, so planners are compared user by user.

Shape suffixes: P pairs, M rounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from influpath.errors import ResultError
from influpath.evaluation.intervals import Interval, bootstrap_means, paired_difference
from influpath.simulation.visits import ALONE, ARRIVED, LEFT, Visits

FloatArray = npt.NDArray[np.float64]


class Measure(NamedTuple):
    """A measure as tables need it.

    Attributes:
        description: What it says, in plain words.
        higher_is_better: None where neither direction is better.
    """

    description: str
    higher_is_better: bool | None


MEASURES: dict[str, Measure] = {
    "arrived": Measure("share of users to whom the objective was shown and who took it", True),
    "rounds_to_arrival": Measure("rounds until then, of those who arrived", False),
    "left": Measure("share of users who left before", False),
    "rejected": Measure("items that a user rejected", False),
    "acceptance": Measure("share of the shown items that a user took", True),
    "shown": Measure("items that a user was shown", None),
    "alone": Measure("share of users who took the objective without being shown it", None),
    "shift": Measure(
        "how far a user's wishes moved: Jensen-Shannon divergence, at the end, in bits", None
    ),
    "induced_shift": Measure(
        "that, less how far the same user's wishes moved under the plain recommender in as many "
        "rounds",
        None,
    ),
}


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Measures of several planners on the same pairs.

    Attributes:
        pair_ids: The pairs; every one is a user.
        rounds: M.
        values: Planner -> measure -> one number per pair, float64 [P]; NaN where undefined.
        ends: Planner -> the round in which each user arrived, and left, float64 [P] by name; NaN
            for never.
    """

    pair_ids: npt.NDArray[np.int64]
    rounds: int
    values: dict[str, dict[str, FloatArray]]
    ends: dict[str, dict[str, FloatArray]]

    @classmethod
    def of(
        cls,
        visits: Mapping[str, Visits],
        pairs: pl.DataFrame,
        rounds: int,
        plain: str | None = None,
    ) -> "Outcomes":
        """Measure visits.

        Args:
            visits: Planner -> what happened.
            pairs: Frame with ``pair_id``: which pairs count, and their order.
            rounds: M.
            plain: The planner that is the plain recommender; None leaves the induced shift out.

        Raises:
            ResultError: A planner did not meet all the pairs.
        """
        natural_PM = None if plain is None else shifts(visits[plain], pairs, rounds)
        values, ends = {}, {}
        for name, visit in visits.items():
            found = ends_of(visit, pairs, name)
            values[name] = measures(found, natural_PM)
            when = found["rounds"].to_numpy().astype(np.float64)
            ends[name] = {
                end: np.where((found["end"] == end).to_numpy(), when, np.nan)
                for end in (ARRIVED, LEFT)
            }
        return cls(pairs["pair_id"].to_numpy().astype(np.int64), rounds, values, ends)

    def intervals(self, seed: int) -> dict[str, dict[str, Interval]]:
        """Return planner -> measure -> mean, 95% bootstrap interval and count."""
        return {
            name: dict(
                zip(rows, bootstrap_means(np.stack(list(rows.values()), axis=1), seed), strict=True)
            )
            for name, rows in self.values.items()
        }

    def difference(self, a: str, b: str, measure: str, seed: int) -> Interval:
        """Return planner ``a`` minus planner ``b`` in a measure, user by user.

        Users for whom it is undefined under either are left out.
        """
        return paired_difference(self.values[a][measure], self.values[b][measure], seed)

    def curve(self, name: str, end: str, seed: int) -> list[Interval]:
        """Return the share of users who had arrived, or left, after each round: M intervals."""
        when_P1 = self.ends[name][end][:, None]
        return bootstrap_means((when_P1 <= np.arange(1, self.rounds + 1)).astype(np.float64), seed)

    def to_dict(self, seed: int, compared: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the numbers for JSON.

        Args:
            seed: Decides the bootstrap.
            compared: Planners from each of which all others are subtracted, pair by pair.
        """
        return {
            "pairs": len(self.pair_ids),
            "planners": {
                name: {measure: interval.to_dict() for measure, interval in row.items()}
                for name, row in self.intervals(seed).items()
            },
            "differences": {
                f"{a} - {b}": {
                    measure: self.difference(a, b, measure, seed).to_dict()
                    for measure in self.values[a]
                    if measure in self.values[b]
                }
                for a in compared
                for b in self.values
                if a != b
            },
            "curves": {
                name: {
                    end: [interval.to_dict() for interval in self.curve(name, end, seed)]
                    for end in (ARRIVED, LEFT)
                }
                for name in self.values
            },
        }


def ends_of(visits: Visits, pairs: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the ends of visits in the order of the pairs.

    Raises:
        ResultError: A pair is missing.
    """
    found = pairs.select("pair_id").join(
        visits.ends, on="pair_id", how="left", maintain_order="left"
    )
    missing = found["end"].null_count()
    if missing:
        raise ResultError(f"{name}: {missing} of {pairs.height} pairs were not in the loop.")
    return found


def measures(ends: pl.DataFrame, natural_PM: FloatArray | None) -> dict[str, FloatArray]:
    """Return every measure, one number per pair.

    Args:
        ends: See ``Visits.ends``.
        natural_PM: The same users' shift after each round under the plain recommender.
    """
    columns = {
        name: ends[name].to_numpy().astype(np.float64)
        for name in ("rounds", "accepted", "rejected", "shown", "shift")
    }
    arrived = (ends["end"] == ARRIVED).to_numpy()
    shown = columns["shown"]
    found = {
        "arrived": arrived.astype(np.float64),
        "rounds_to_arrival": np.where(arrived, columns["rounds"], np.nan),
        "left": (ends["end"] == LEFT).to_numpy().astype(np.float64),
        "rejected": columns["rejected"],
        "acceptance": np.divide(
            columns["accepted"], shown, out=np.full(len(shown), np.nan), where=shown > 0
        ),
        "shown": shown,
        "alone": (ends["end"] == ALONE).to_numpy().astype(np.float64),
        "shift": columns["shift"],
    }
    if natural_PM is not None:
        last_P1 = columns["rounds"].astype(np.int64)[:, None] - 1
        natural = np.take_along_axis(natural_PM, last_P1, axis=1)[:, 0]
        found["induced_shift"] = columns["shift"] - natural
    return found


def shifts(visits: Visits, pairs: pl.DataFrame, rounds: int) -> FloatArray:
    """Return each user's shift after each round, float64 [P, M]; after the end it stays."""
    place = pl.DataFrame({"pair_id": pairs["pair_id"], "place": np.arange(pairs.height)})
    # One row per pair and round that was had.
    had = visits.rounds.join(place, on="pair_id", how="inner", maintain_order="left")
    shift_PM = np.full((pairs.height, rounds), np.nan)
    shift_PM[had["place"].to_numpy(), had["round"].to_numpy() - 1] = had["shift"].to_numpy()
    # What is missing comes after the last round of a user, from which it is taken over.
    last_PM = np.where(np.isnan(shift_PM), 0, np.arange(rounds))
    last_PM = np.maximum.accumulate(last_PM, axis=1)
    return np.take_along_axis(shift_PM, last_PM, axis=1)
