"""A dataset and pairs small enough that every model trains on them within a second."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.planning.feasibility import CalibratedTo, Feasibility
from influpath.planning.feasibility_features import FEATURES, ItemFacts
from influpath.planning.logistic import Logistic
from influpath.recommenders.base import Recommender


def tiny_dataset(users: int = 48, items: int = 24, seed: int = 0) -> Dataset:
    """Return users who mostly walk forward on a ring of items, without repeats.

    Ids are text that does not sort as the numbers do, so that mixing them up shows.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(users):
        length = int(rng.integers(3, items // 2 + 3))
        steps = np.where(rng.random(length) < 0.8, 1, rng.integers(2, 5, size=length))
        walk = (rng.integers(items) + np.cumsum(steps)) % items + 1
        _, first = np.unique(walk, return_index=True)
        rows.append(walk[np.sort(first)])
    item_ids = [f"film {n * 7 % 101}" for n in range(1, items + 1)]
    return Dataset(
        name="tiny",
        preset="custom",
        sequences=Sequences.from_rows(rows),
        users=IdMap([f"user {n * 5 % 211}" for n in range(users)], 0, "user"),
        items=IdMap(item_ids, 1, "item"),
        catalogue=pl.DataFrame({"item_id": item_ids, "title": item_ids, "genres": None}),
    )


def tiny_pairs(dataset: Dataset, count: int | None = None, seed: int = 0) -> pl.DataFrame:
    """Return pairs of the first ``count`` users with objectives outside their histories.

    The pair ids descend, so that they are not mistaken for the order of the rows.
    """
    rng = np.random.default_rng(seed)
    count = len(dataset.users) if count is None else count
    catalogue = np.arange(1, len(dataset.items) + 1)
    objectives = np.array(
        [rng.choice(np.setdiff1d(catalogue, dataset.sequences.row(r))) for r in range(count)]
    )
    return pl.DataFrame(
        {
            "pair_id": pl.Series(range(500 + count, 500, -1), dtype=pl.Int64),
            "user_id": dataset.users.ids[:count],
            "objective_id": dataset.items.decode(objectives),
        }
    )


def tiny_feasibility(
    model: Recommender,
    dataset: Dataset,
    weights: Mapping[str, float],
    products: float = 0.0,
    intercept: float = 0.5,
    max_length: int = 20,
) -> Feasibility:
    """Return a feasibility with weights of choice, which was calibrated to nothing.

    Args:
        model: Whose probabilities and facts it reads.
        dataset: For the facts.
        weights: Of features by name; the others have none.
        products: The n-th product of two features has n times this weight.
        intercept: Log odds where all features are 0.
        max_length: M that it says it was calibrated to.
    """
    count = len(FEATURES)
    of_products = [products * n for n in range(count * (count + 1) // 2)]
    return Feasibility(
        logistic=Logistic(
            features=tuple(FEATURES),
            lows=(-20.0,) * count,
            highs=(20.0,) * count,
            means=(0.0,) * count,
            scales=(1.0,) * count,
            weights=(*(weights.get(name, 0.0) for name in FEATURES), *of_products),
            intercept=intercept,
        ),
        facts=ItemFacts.of(model, dataset),
        calibrated_to=CalibratedTo(
            judge="sasrec",
            outcome="accepted SR@20",
            planner="irn",
            dials={},
            max_length=max_length,
            model=model.name,
            fingerprint=model.trained_on.fingerprint,
            pairs=10,
            accepted=5,
            seed=0,
        ),
    )
