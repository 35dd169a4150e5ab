"""A tiny simulated world and its users."""

from typing import Any, NamedTuple

import polars as pl
import pytest

from influpath.data import Dataset, SimulatedWorld, load_dataset
from influpath.evaluation import sample_pairs
from influpath.simulation import TruthUserModel

WORLD: dict[str, Any] = {"users": 60, "items": 40, "shortest": 6, "longest": 12}


class World(NamedTuple):
    """The world's data, one pair per user, and its true users."""

    dataset: Dataset
    pairs: pl.DataFrame
    users: TruthUserModel


@pytest.fixture(scope="session")
def world() -> World:
    dataset = load_dataset("simulated", **WORLD)
    truth = SimulatedWorld.parse(WORLD, "here").truth(dataset)
    return World(
        dataset,
        sample_pairs(dataset, seed=3, minimum_interactions=1),
        TruthUserModel(truth, dataset),
    )
