"""A dataset and pairs small enough that every model trains on them within a second."""

import numpy as np
import polars as pl

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences


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
