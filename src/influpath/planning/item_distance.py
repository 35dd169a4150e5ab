"""How far items are from an objective, which is what Rec2Inf re-ranks by (paper III-C and IV-C).

Shape suffixes: B rows, I catalogue items, E item vector size, G genres.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError
from influpath.recommenders.item2vec import item2vec

Measure = Literal["cosine", "euclidean"]

# Trained item2vec vectors that are kept, so that the planners of one run share them.
KEPT_TRAININGS = 4


class ItemDistance:
    """Distances between items by their vectors.

    Args:
        vectors_IE: One vector per catalogue item.  By cosine, a vector of zeros is equally far
            from everything.
        measure: "cosine" or "euclidean".
    """

    def __init__(self, vectors_IE: Tensor, measure: Measure) -> None:
        self.measure = measure
        self.vectors_IE = vectors_IE.float()
        if measure == "cosine":
            self.vectors_IE = torch.nn.functional.normalize(self.vectors_IE, dim=1)

    def nearness(self, column_B: Tensor) -> Tensor:
        """Return how near every item is to given ones, [B, I]; higher is nearer.

        It is the cosine, from -1 to 1, or minus the Euclidean distance.

        Args:
            column_B: Catalogue columns (item number - 1).
        """
        products_BI = self.vectors_IE[column_B] @ self.vectors_IE.T
        if self.measure == "cosine":
            return products_BI.clamp(-1, 1)
        # Exact for binary vectors, so that items of the same genres are equally far.
        squares_I = self.vectors_IE.square().sum(1)
        squared_BI = squares_I[column_B][:, None] + squares_I - 2 * products_BI
        return -squared_BI.clamp(min=0).sqrt()


def genre_vectors(dataset: Dataset, items: IdMap) -> Tensor:
    """Return binary genre vectors, float32 [I, G]; an item without genres has zeros.

    Args:
        dataset: Its catalogue names the genres.
        items: The items wanted, in their order.

    Raises:
        ConfigError: The dataset has no genres, or lacks an item.
    """
    rows = rows_of_items(dataset, items)
    categories = dataset.categories
    if not categories.names:
        raise ConfigError(
            f"the dataset {dataset.name!r} has no genres to measure distances by; choose "
            "distance 'item2vec' or 'own' instead of 'genre'."
        )
    return torch.from_numpy(categories.vectors()[rows])


def item2vec_vectors(dataset: Dataset, items: IdMap, size: int, seed: int) -> Tensor:
    """Return item2vec embeddings trained on a dataset's sequences, float32 [I, E].

    Trainings are kept for the next call with the same data, size and seed.

    Args:
        dataset: The training part, which models were trained on too.
        items: The items wanted, in their order.
        size: E.
        seed: Makes the training reproducible.

    Raises:
        ConfigError: The dataset lacks an item.
    """
    rows = rows_of_items(dataset, items)
    training = Training(dataset.fingerprint, size, seed, dataset.sequences, len(dataset.items))
    return trained_vectors(training)[torch.from_numpy(rows)]


@dataclass(frozen=True)
class Training:
    """A training of item2vec; equal ones give equal vectors."""

    fingerprint: str
    size: int
    seed: int
    sequences: Sequences = field(compare=False, repr=False)
    items: int = field(compare=False)


@lru_cache(maxsize=KEPT_TRAININGS)
def trained_vectors(training: Training) -> Tensor:
    """Return item2vec embeddings in the order of the dataset's items, [I, E]."""
    vectors = item2vec(training.sequences, training.items, training.size, training.seed)
    return torch.from_numpy(vectors[1:])


def rows_of_items(dataset: Dataset, items: IdMap) -> IntArray:
    """Return where a dataset's catalogue has each of some items, int64 [I].

    Raises:
        ConfigError: An item is not in the dataset.
    """
    if items == dataset.items:
        return np.arange(len(items))
    rows = dataset.items.encode(items.ids, unknown="mark") - 1
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        raise ConfigError(
            f"the dataset {dataset.name!r} lacks {len(missing)} of the recommender's items, "
            f"{items.ids[missing[0]]!r} for example; give the dataset that it was trained on."
        )
    return rows
