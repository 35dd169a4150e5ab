"""TransRec: translation-based recommendation (He, Kang and McAuley, RecSys 2017).

A user is a translation from the last item i to the next item j:

    x_uij = beta_j - |gamma_i + t + t_u - gamma_j|^2,    |gamma| <= 1,

with squared L2 distance (one of the paper's two), t the translation all users share and t_u the
user's own.  Unknown users are served as in the paper, with t_u = 0.  Only the last item and the
user matter.  Trained by S-BPR, BPR on transitions, with a negative drawn uniformly among the items
the user has not interacted with.  Item points are projected to the unit ball at every step; they
and t start as random unit vectors, beta and t_u as 0; all as in the paper (section 3).

As |q - gamma_j|^2 = |q|^2 - 2 q . gamma_j + |gamma_j|^2, and |q|^2 is the same for every j, the
score is the linear form 2 q . gamma_j + beta_j - |gamma_j|^2 up to a constant: prediction and both
losses need matrix products only.

Departures from the original, beside those of ``pairwise``:
- A start point, learned as one more item, stands before each user's first item, which is thus an
  example too (the paper starts at the second).  An empty history is served from there.
- One L2 weight instead of one each for points, bias and translations.

Shape suffixes: B batch, D width, R rows, I catalogue items.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.pairwise import (
    Batch,
    PairwiseConfig,
    PairwiseNetwork,
    PairwiseRecommender,
    squares,
)


class TransRecConfig(PairwiseConfig):
    """Settings of TransRec; see ``PairwiseConfig``."""


class TransRecNetwork(PairwiseNetwork):
    """Item points gamma (row 0 is the start), bias beta, translations t and t_u.

    Args:
        config: Sizes.
        users: Number of users.
        items: Catalogue size.
    """

    def __init__(self, config: TransRecConfig, users: int, items: int) -> None:
        super().__init__()
        width = config.embedding_size
        self.item = nn.Embedding(items + 1, width)
        self.bias = nn.Parameter(torch.zeros(items))
        self.translation = nn.Parameter(torch.randn(width))
        self.user = nn.Embedding(users, width)
        nn.init.zeros_(self.user.weight)
        with torch.no_grad():
            self.translation.div_(self.translation.norm())
            self.item.weight.div_(self.item.weight.norm(dim=1, keepdim=True))

    def query(self, users_B: Tensor, previous_B: Tensor) -> Tensor:
        """Return 2 (gamma_i + t + t_u), [B, D]; t_u is 0 for users of -1."""
        known_B1 = (users_B >= 0)[:, None]
        own_BD = torch.where(known_B1, self.user(users_B.clamp(min=0)), 0.0)
        translated_BD: Tensor = self.item(previous_B) + self.translation + own_BD
        return 2 * translated_BD

    def output(self) -> tuple[Tensor, Tensor]:
        """Return gamma and beta - |gamma|^2."""
        point_ID = self.item.weight[1:]
        return point_ID, self.bias - squares(point_ID)

    def penalty(self, batch: Batch) -> Tensor:
        """See ``PairwiseNetwork.penalty``: the items, their bias and both translations."""
        total_B = squares(self.user(batch.users_B)) + squares(self.translation)
        total_B = total_B + squares(self.item(batch.previous_B))
        for items_B in (batch.items_B, batch.unseen_B):
            if items_B is not None:
                total_B = total_B + squares(self.item(items_B)) + self.bias[items_B - 1] ** 2
        return total_B

    def project(self) -> None:
        """Move points that left the unit ball back to its surface."""
        with torch.no_grad():
            self.item.weight.div_(self.item.weight.norm(dim=1, keepdim=True).clamp(min=1.0))


class TransRec(PairwiseRecommender):
    """Translation-based recommender; see the module docstring for its departures."""

    name: ClassVar[str] = "transrec"
    config_class: ClassVar[type[FrozenConfig]] = TransRecConfig
    config: TransRecConfig
    module: TransRecNetwork

    def _build(self) -> TransRecNetwork:
        return TransRecNetwork(self.config, len(self.users), self.item_count)

    def _query(self, histories: Sequences, users_R: IntArray) -> Tensor:
        return self.module.query(torch.as_tensor(users_R), torch.as_tensor(histories.last()))
