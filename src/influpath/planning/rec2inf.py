"""``rec2inf``: re-rank a recommender's top k by distance to the objective (paper III-C).

Distances are cosines between the recommender's own item embeddings, or any item vectors given.
Ties are broken fairly: the objective first, then the recommender's score.

Shape suffixes: B rows, K candidates, I catalogue items, E item vector size.
"""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.errors import ConfigError
from influpath.planning.base import Proposal, State
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.schedule import PositiveIntSchedule, at_step
from influpath.recommenders.base import Recommender

# Cosines closer than this are the same.
SAME = 1e-6


class Rec2InfConfig(FrozenConfig):
    """The dial of Rec2Inf.

    Attributes:
        k: Size of the candidate set: its aggressiveness (50 in the paper).
    """

    k: PositiveIntSchedule = Field(default=50)


class Rec2InfPlanner(ModelPlanner[Rec2InfConfig]):
    """Shows the candidate closest to the objective.

    Args:
        model: A fitted recommender.
        config: The dial; or
        item_vectors: [I, E] to measure distances by; the recommender's own by default.
        dials: The dial as a keyword.
    """

    name: ClassVar[str] = "rec2inf"
    config_class: ClassVar[type[FrozenConfig]] = Rec2InfConfig

    def __init__(
        self,
        model: Recommender,
        config: Rec2InfConfig | None = None,
        item_vectors: npt.NDArray[np.float32] | None = None,
        **dials: object,
    ) -> None:
        super().__init__(model, config, **dials)
        vectors = model.item_vectors() if item_vectors is None else torch.as_tensor(item_vectors)
        if vectors is None or len(vectors) != model.item_count:
            raise ConfigError(
                f"rec2inf needs one vector for each of the {model.item_count} items; the "
                f"recommender {model.name!r} has none of its own, so give item_vectors."
            )
        self.unit_IE = torch.nn.functional.normalize(vectors.float(), dim=1)

    def step(self, state: State) -> Proposal:
        """Propose the closest of the k most probable items."""
        scores_BI = self.allowed_log_probs(state)
        k = min(at_step(self.config.k, state.step), scores_BI.shape[1])
        # Sorted by score, so that the first of equally close candidates is the more probable one.
        score_BK, item_BK = scores_BI.topk(k, dim=1)
        return self.closest(item_BK, score_BK, torch.from_numpy(state.objectives_B) - 1)

    def next_item_scores(self, state: State) -> Tensor:
        """Rank the re-ranked top k first, then the rest by the recommender's score."""
        scores_BI = self.allowed_log_probs(state)
        k = min(at_step(self.config.k, state.step), scores_BI.shape[1])
        score_BK, item_BK = scores_BI.topk(k, dim=1)
        objective_B = torch.from_numpy(state.objectives_B) - 1
        near_BK = self.nearness(item_BK, score_BK, objective_B)
        # Log-probabilities are at most 0, so that every candidate stands before the rest.
        return scores_BI.scatter(1, item_BK, near_BK.clamp(max=3.0) + 2.0)

    def closest(self, item_BK: Tensor, score_BK: Tensor, objective_B: Tensor) -> Proposal:
        """Return the candidate closest to the objective (indices 0..I-1, scores -inf if barred)."""
        near_BK = self.nearness(item_BK, score_BK, objective_B)
        # argmax may return any of equals; the first of the row's maxima is what is wanted.  Equal
        # vectors can differ in the last bit of their cosine, depending on their place.
        is_best_BK = near_BK >= near_BK.amax(dim=1, keepdim=True) - SAME
        pick_B = is_best_BK.to(torch.uint8).argmax(dim=1)
        picked_B = item_BK.gather(1, pick_B[:, None])[:, 0]
        best_B = near_BK.amax(dim=1)
        items_B = torch.where(best_B > -torch.inf, picked_B + 1, 0)
        return Proposal(items_B.numpy(), best_B.clamp(-1, 1).numpy().astype(np.float32))

    def nearness(self, item_BK: Tensor, score_BK: Tensor, objective_B: Tensor) -> Tensor:
        """Return cosines to the objective, [B, K]; inf for itself, -inf for barred items."""
        target_BE1 = self.unit_IE[objective_B][:, :, None]
        near_BK = (self.unit_IE[item_BK] @ target_BE1)[:, :, 0]
        near_BK = near_BK.masked_fill(item_BK == objective_B[:, None], torch.inf)
        return near_BK.masked_fill(score_BK == -torch.inf, -torch.inf)
