"""What the measured work is done on: data, models that stand for trained ones, and paths.

Shape suffixes: R rows, I catalogue items, P pairs, M path length.
"""

from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences, count_up
from influpath.evaluation.pairs import fixed_subset
from influpath.planning.base import seen_items
from influpath.planning.paths import Paths
from influpath.recommenders.base import Recommender

Model = TypeVar("Model", bound=Recommender)

# Items per user that a model is trained on where only its speed matters.
FEW_ITEMS = 4


def synthetic_dataset(users: int, items: int, length: int, seed: int = 0) -> Dataset:
    """Return a log of any size, made at once: popular items are frequent, and that is all.

    Item n is drawn in proportion to 1 / sqrt(n); a repeat within a user is left away, so rows are
    a little shorter than ``length``.

    Args:
        users: Number of users.
        items: Number of items.
        length: Items drawn per user.
        seed: Of the draws.
    """
    rng = np.random.default_rng([seed, 0xB16])
    drawn = np.minimum((items * rng.random(users * length) ** 2).astype(np.int64), items - 1) + 1
    row = np.repeat(np.arange(users, dtype=np.int64), length)
    _, first = np.unique(row * (items + 1) + drawn, return_index=True)
    kept = np.sort(first)
    sequences = Sequences.from_lengths(drawn[kept], np.bincount(row[kept], minlength=users))
    numbers = np.arange(1, items + 1)
    catalogue = pl.DataFrame(
        {"item_id": numbers, "title": pl.Series([None] * items, dtype=pl.String)}
    ).with_columns(genres=pl.lit(None, dtype=pl.List(pl.String)))
    return Dataset(
        name=f"synthetic, {users:,} users, {items:,} items",
        preset="custom",
        sequences=sequences,
        users=IdMap(range(users), 0, "user"),
        items=IdMap(range(1, items + 1), 1, "item"),
        catalogue=catalogue,
    )


def barely_trained(kind: type[Model], dataset: Dataset, settings: dict[str, Any]) -> Model:
    """Return a model of the full size that has seen little: its speed is that of a trained one.

    Args:
        kind: The class of recommender.
        dataset: Decides users and items; the first items of every user are trained on.
        settings: Of the recommender.
    """
    lengths = np.minimum(dataset.sequences.lengths, FEW_ITEMS)
    rows = np.arange(len(lengths))
    few = dataset.sequences.slice(rows, np.zeros_like(lengths), lengths)
    settings = {**settings, "training": {**settings.get("training", {}), "epochs": 1}}
    return kind(**settings).fit(dataset.with_sequences(few))


def some_pairs(pairs: pl.DataFrame, count: int | None, seed: int) -> pl.DataFrame:
    """Return ``count`` of the pairs, chosen by seed; all for None or where there are fewer."""
    return pairs if count is None else fixed_subset(pairs, count, seed)


def unseen_paths(pairs: pl.DataFrame, dataset: Dataset, max_length: int, seed: int) -> Paths:
    """Return paths of random items that are new to the user: what a judge's time depends on.

    Args:
        pairs: Frame ``pair_id, user_id, objective_id``.
        dataset: Histories and catalogue.
        max_length: Items per path, M; the objective is none of them.
        seed: Of the draws.
    """
    histories = dataset.sequences.take(dataset.rows_of(pairs["user_id"]))
    barred_PI = seen_items(histories, len(dataset.items))
    objectives_P = torch.from_numpy(dataset.items.encode(pairs["objective_id"]))
    barred_PI[torch.arange(len(objectives_P)), objectives_P - 1] = True
    draws_PI = torch.rand(barred_PI.shape, generator=torch.Generator().manual_seed(seed))
    items_PM = draws_PI.masked_fill(barred_PI, -1).topk(max_length, dim=1).indices.numpy() + 1
    counts_P = np.full(pairs.height, max_length)
    steps = pl.DataFrame(
        {
            "pair_id": pairs["pair_id"].to_numpy()[np.repeat(np.arange(pairs.height), max_length)],
            "step": count_up(counts_P) + 1,
            "item_id": dataset.items.series("item_id", items_PM.reshape(-1)),
            "score": np.zeros(items_PM.size, dtype=np.float32),
        }
    )
    return Paths.from_steps(steps, pairs)


def mean_attended(lengths: IntArray, width: int) -> float:
    """Return how many keys a position of a causal window attends to on average.

    Args:
        lengths: Lengths of the sequences.
        width: Longest window.
    """
    windows = np.minimum(lengths, width).astype(np.float64)
    return float((windows * (windows + 1) / 2).sum() / max(windows.sum(), 1))
