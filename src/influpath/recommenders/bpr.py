"""BPR: matrix factorisation for Bayesian personalised ranking (Rendle et al., UAI 2009, BPR-MF).

The score of item i for user u is x_ui = p_u . q_i + b_i; neither the order nor the time of the
user's items plays a part.  Trained by BPR-Opt with a negative drawn uniformly among the items the
user has not interacted with, and L2 regularisation, as in the paper (section 4.3.1).

Departures from the original, beside those of ``pairwise``:
- An item bias, as in the authors' own library and every later comparison.
- One L2 weight instead of one each for users, positive and negative items.
- Users the model does not know are folded in (the paper has none).  Over the training users a ridge
  regression maps the mean factor of a user's items to p_u, both centred; an unknown user's factor
  is what it makes of the history, and the mean user's where the history is empty.  A known user's
  factor is the trained one, whatever the history.

Shape suffixes: B batch, D width, R rows, U users, I catalogue items.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.pairwise import (
    Batch,
    PairwiseConfig,
    PairwiseNetwork,
    PairwiseRecommender,
    squares,
)

# Share of the features' mean variance that is added to each direction's.
RIDGE = 1e-2
INITIAL_SCALE = 0.05


class BPRConfig(PairwiseConfig):
    """Settings of BPR; see ``PairwiseConfig`` for the others.

    Attributes:
        regularisation: L2 weight of every factor that an example touches.
    """

    regularisation: float = Field(default=5e-3, ge=0)


class BPRNetwork(PairwiseNetwork):
    """User factors, item factors and item bias; the buffers fold unknown users in.

    Args:
        config: Sizes.
        users: Number of users.
        items: Catalogue size.
    """

    mean_user: Tensor
    mean_taste: Tensor
    fold_in: Tensor

    def __init__(self, config: BPRConfig, users: int, items: int) -> None:
        super().__init__()
        width = config.embedding_size
        self.user = nn.Embedding(users, width)
        self.item = nn.Embedding(items, width)
        self.bias = nn.Parameter(torch.zeros(items))
        self.register_buffer("mean_user", torch.zeros(width))
        self.register_buffer("mean_taste", torch.zeros(width))
        self.register_buffer("fold_in", torch.zeros(width, width))
        for factors in (self.user, self.item):
            nn.init.normal_(factors.weight, std=INITIAL_SCALE)

    def query(self, users_B: Tensor, previous_B: Tensor) -> Tensor:
        """Return the user factors p, [B, D]."""
        factors: Tensor = self.user(users_B)
        return factors

    def output(self) -> tuple[Tensor, Tensor]:
        """Return the item factors q and the item bias b."""
        return self.item.weight, self.bias

    def penalty(self, batch: Batch) -> Tensor:
        """See ``PairwiseNetwork.penalty``: the user and the items compared."""
        total_B = squares(self.user(batch.users_B))
        for items_B in (batch.items_B, batch.unseen_B):
            if items_B is not None:
                total_B = total_B + squares(self.item(items_B - 1)) + self.bias[items_B - 1] ** 2
        return total_B

    def tastes(self, histories: Sequences) -> Tensor:
        """Return the mean item factor of each history, [R, D]; 0 for an empty one."""
        values, offsets = torch.as_tensor(histories.values), torch.as_tensor(histories.offsets)
        return F.embedding_bag(values - 1, self.item.weight, offsets[:-1], mode="mean")

    def fit_fold_in(self, histories: Sequences) -> None:
        """Regress user factors on tastes; row u of ``histories`` are the items of user u."""
        filled = torch.as_tensor(histories.lengths > 0)
        user_UD = self.user.weight.detach()[filled].double()
        taste_UD = self.tastes(histories).detach()[filled].double()
        mean_user_D, mean_taste_D = user_UD.mean(0), taste_UD.mean(0)
        centred_UD = taste_UD - mean_taste_D
        gram_DD = centred_UD.T @ centred_UD
        # The smallest number keeps the equations solvable where all tastes are equal.
        ridge = RIDGE * gram_DD.diagonal().mean() + torch.finfo(torch.float64).tiny
        gram_DD = gram_DD + ridge * torch.eye(len(gram_DD), dtype=torch.float64)
        fold_in_DD = torch.linalg.solve(gram_DD, centred_UD.T @ (user_UD - mean_user_D))
        self.mean_user.copy_(mean_user_D)
        self.mean_taste.copy_(mean_taste_D)
        self.fold_in.copy_(fold_in_DD)

    def folded_in(self, histories: Sequences) -> Tensor:
        """Return the factors of unknown users, [R, D]."""
        filled_R1 = torch.as_tensor(histories.lengths > 0)[:, None]
        moved_RD = (self.tastes(histories) - self.mean_taste) @ self.fold_in
        return self.mean_user + torch.where(filled_R1, moved_RD, 0.0)


class BPR(PairwiseRecommender):
    """BPR-MF; see the module docstring for its departures."""

    name: ClassVar[str] = "bpr"
    config_class: ClassVar[type[FrozenConfig]] = BPRConfig
    config: BPRConfig
    module: BPRNetwork

    def _build(self) -> BPRNetwork:
        return BPRNetwork(self.config, len(self.users), self.item_count)

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        history = super()._fit(dataset, checkpoint)
        self.module.fit_fold_in(dataset.sequences)
        return history

    def _query(self, histories: Sequences, users_R: IntArray) -> Tensor:
        factors_RD: Tensor = self.module.user(torch.as_tensor(np.maximum(users_R, 0)))
        unknown = np.flatnonzero(users_R < 0)
        if len(unknown):
            factors_RD[torch.as_tensor(unknown)] = self.module.folded_in(histories.take(unknown))
        return factors_RD
