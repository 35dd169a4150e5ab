"""``rec2inf``: re-rank a recommender's top k by distance to the objective (paper III-C).

The paper measures distances between binary genre vectors on MovieLens and between item2vec
embeddings on Last.fm (IV-C); the recommender's own item embeddings are the third choice, and the
default.  Departures from the paper:

- Ties are broken fairly: the objective first, then the recommender's score.  The paper does not say
  how; the published code leaves it to the sorting.  On MovieLens-1M an item has 219 genre twins on
  average, among which the objective then mostly loses.
- The published code counts differing genres (the Hamming distance); the Euclidean distance of
  binary vectors, which is the root of that count, gives the same order.

Shape suffixes: B rows, K candidates, I catalogue items, E item vector size.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.errors import ConfigError
from influpath.planning.base import State
from influpath.planning.candidates import Candidates, RerankConfig, RerankPlanner
from influpath.planning.item_distance import ItemDistance, genre_vectors, item2vec_vectors
from influpath.planning.parts import PlannerParts
from influpath.planning.schedule import PositiveIntSchedule
from influpath.recommenders.base import Recommender


class Rec2InfConfig(RerankConfig):
    """The dials of Rec2Inf.

    Attributes:
        k: Size of the candidate set, one number or one per step: its aggressiveness (50 in the
            paper).
        distance: "own" for the cosine of the recommender's own item embeddings, "genre" for the
            Euclidean distance of binary genre vectors, "item2vec" for the cosine of item2vec
            embeddings trained on the dataset.
        item2vec_size: Size of these embeddings.
        item2vec_seed: Seed of their training.
    """

    k: PositiveIntSchedule = Field(default=50)
    distance: Literal["own", "genre", "item2vec"] = "own"
    item2vec_size: int = Field(default=64, ge=2)
    item2vec_seed: int = Field(default=0, ge=0)


class Rec2InfPlanner(RerankPlanner[Rec2InfConfig]):
    """Shows the candidate closest to the objective; the objective is the closest of all.

    The score of a proposal is its cosine with the objective, or minus its Euclidean distance.

    Args:
        model: A fitted recommender.
        config: The dials; or
        dataset: The training part, for the distances "genre" and "item2vec".
        item_vectors: [I, E], taken instead of those that ``distance`` stands for: vectors of your
            own, or ready item2vec embeddings.
        dials: The dials as keywords.

    Raises:
        ConfigError: There are no vectors for the distance.
    """

    name: ClassVar[str] = "rec2inf"
    config_class: ClassVar[type[FrozenConfig]] = Rec2InfConfig
    # The cosine of equal vectors differs in its last bits, depending on their place and length.
    tolerance: ClassVar[float] = 1e-6

    def __init__(
        self,
        model: Recommender,
        config: Rec2InfConfig | None = None,
        *,
        dataset: Dataset | None = None,
        item_vectors: npt.NDArray[np.float32] | Tensor | None = None,
        **dials: object,
    ) -> None:
        super().__init__(model, config, **dials)
        if item_vectors is None:
            vectors_IE = self.vectors_for(dataset)
        else:
            vectors_IE = checked(torch.as_tensor(item_vectors), model.item_count)
        euclidean = self.config.distance == "genre"
        self.distance = ItemDistance(vectors_IE, "euclidean" if euclidean else "cosine")

    @classmethod
    def build(cls, parts: PlannerParts, model_name: str | None, dials: Mapping[str, Any]) -> Self:
        """See ``Planner.build``: the dataset comes along."""
        model = cls.pick_model(parts, model_name)
        return cls(model, cls.parse_dials(dials), dataset=parts.dataset)

    def vectors_for(self, dataset: Dataset | None) -> Tensor:
        """Return the vectors that ``distance`` stands for, [I, E].

        Raises:
            ConfigError: The recommender has none, or the dataset is missing or has none.
        """
        config, model = self.config, self.model
        if config.distance == "own":
            vectors_IE = model.item_vectors()
            if vectors_IE is None:
                raise ConfigError(
                    "rec2inf measures distances between item vectors, and the recommender "
                    f"{model.name!r} has none of its own; choose distance 'genre' or 'item2vec', "
                    "or give item_vectors."
                )
            return vectors_IE
        if dataset is None:
            raise ConfigError(
                f"rec2inf with distance {config.distance!r} needs the dataset that the recommender "
                "was trained on; give dataset, or item_vectors."
            )
        if config.distance == "genre":
            return genre_vectors(dataset, model.items)
        return item2vec_vectors(dataset, model.items, config.item2vec_size, config.item2vec_seed)

    def values(self, state: State, candidates: Candidates) -> Tensor:
        """Return how near each candidate is to the objective, [B, K]."""
        nearness_BI = self.distance.nearness(candidates.objective_B1[:, 0])
        return nearness_BI.gather(1, candidates.column_BK)


def checked(vectors_IE: Tensor, items: int) -> Tensor:
    """Return vectors that were given.

    Raises:
        ConfigError: They do not fit the catalogue, or hold something else than numbers.
    """
    if vectors_IE.ndim != 2 or len(vectors_IE) != items or not vectors_IE.isfinite().all():
        raise ConfigError(
            f"rec2inf needs one vector of finite numbers for each of the {items} items; "
            f"item_vectors has the shape {tuple(vectors_IE.shape)}."
        )
    return vectors_IE
