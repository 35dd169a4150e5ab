"""What the tests of a planner start from: its data, pairs and a batch, and how to compare paths."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.planning.algorithm import encode_pairs, plan
from influpath.planning.base import PlanBatch, Planner, State
from influpath.planning.paths import Paths
from influpath.testing.tiny import tiny_dataset, tiny_pairs

TOLERANCE = 1e-4


class PlannerCase:
    """A planner to test, and what it is tested on.

    Attributes:
        max_length: M in these tests.
    """

    max_length = 6

    @pytest.fixture
    def dataset(self) -> Dataset:
        """The dataset that the planner's model was trained on."""
        return tiny_dataset()

    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        """The planner to test."""
        raise NotImplementedError

    @pytest.fixture
    def pairs(self, dataset: Dataset) -> pl.DataFrame:
        """One pair per user."""
        return tiny_pairs(dataset)

    @pytest.fixture
    def batch(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> PlanBatch:
        """The first pairs in the planner's own numbers."""
        return make_batch(planner, pairs.head(12), dataset, self.max_length)

    def make_again(self, planner: Planner, folder: Path) -> Planner:
        """Build the planner anew from what ``save`` wrote; override for other constructors."""
        factory: Any = type(planner)
        model = getattr(planner, "model", None)
        if model is None:
            return factory(planner.items, planner.config)  # type: ignore[no-any-return]
        model.save(folder)
        return factory(type(model).load(folder), planner.config)  # type: ignore[no-any-return]

    def plan(self, planner: Planner, pairs: pl.DataFrame, histories: Any, **options: Any) -> Paths:
        """Plan with this class's M."""
        return plan(planner, pairs, histories, max_length=self.max_length, **options)


def make_batch(planner: Planner, pairs: pl.DataFrame, histories: Any, max_length: int) -> PlanBatch:
    """Return pairs as the batch that ``plan`` would make of them."""
    known, objectives, users = encode_pairs(planner, pairs, histories)
    return PlanBatch(users, known, objectives, max_length, len(planner.items))


def fill(items_B: IntArray, state: State) -> IntArray:
    """Return items to show: the given ones, or for 0 the last that may be shown."""
    allowed_BI = ~state.barred_BI.numpy()
    # The objective may not be it, so that planning goes on.
    allowed_BI[np.arange(len(state)), state.objectives_B - 1] = False
    last_B = allowed_BI.shape[1] - allowed_BI[:, ::-1].argmax(axis=1)
    return np.where(items_B > 0, items_B, last_B)


def renumbered(dataset: Dataset) -> Dataset:
    """Return the same data with items and users in another order."""
    rng = np.random.default_rng(9)
    users = rng.permutation(len(dataset.users))
    order = rng.permutation(len(dataset.items))
    number = np.empty(len(order) + 1, dtype=np.int64)
    number[order + 1] = np.arange(1, len(order) + 1)
    sequences = dataset.sequences.take(users)
    return Dataset(
        name=dataset.name,
        preset=dataset.preset,
        sequences=Sequences(number[sequences.values], sequences.offsets),
        users=IdMap([dataset.users.ids[r] for r in users], 0, "user"),
        items=IdMap([dataset.items.ids[c] for c in order], 1, "item"),
        catalogue=dataset.catalogue[order],
    )


def assert_same_paths(found: Paths, expected: Paths, tolerance: float = TOLERANCE) -> None:
    """The same items in the same steps of the same pairs, and about the same scores."""
    steps = [paths.steps.sort("pair_id", "step") for paths in (found, expected)]
    assert steps[0].drop("score").equals(steps[1].drop("score"))
    np.testing.assert_allclose(steps[0]["score"], steps[1]["score"], atol=tolerance)
    outcomes = [paths.outcomes.sort("pair_id") for paths in (found, expected)]
    assert outcomes[0].equals(outcomes[1])
