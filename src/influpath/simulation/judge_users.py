"""Users driven by a judge: a recommender that no planner shares anything with.

A user who took in s accepts item i with probability

    sigmoid((log P(i | s) - log P(i_20 | s)) / tau),

P being the judge's softmax over the catalogue and i_20 the item at rank 20 among those that the
user has not taken in: accepted SR@20 with a soft edge.  The item at rank 20 is accepted half of the
time; tau says how sharp the edge is (tau near 0 accepts the top 20 and nothing else).  On their
own, users take items with the probabilities P.

Shape suffixes: B users, I catalogue items.
"""

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.base import Recommender
from influpath.simulation.users import FloatArray, UserModel, Users


class JudgeUsersConfig(FrozenConfig):
    """How a judge's probabilities become acceptance.

    Attributes:
        rank: The rank that is accepted half of the time.
        temperature: tau, in nats.
    """

    rank: PositiveInt = 20
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class JudgeUsers(Users):
    """Users at one moment; the judge reads along what they take in."""

    def __init__(
        self, judge: Recommender, config: JudgeUsersConfig, users_B: IntArray, histories: Sequences
    ) -> None:
        super().__init__(histories, len(judge.items))
        self.config = config
        self.reader = judge.reader(histories, users_B)

    def _ask(self) -> Tensor:
        return self.reader.log_probs()

    def acceptance(self, items_B: IntArray) -> FloatArray:
        """See ``Users.acceptance``."""
        log_probs_BI = self.log_probs()
        rank = min(self.config.rank, log_probs_BI.shape[1])
        new_BI = log_probs_BI.masked_fill(self.taken_BI, -torch.inf)
        edge_B = new_BI.topk(rank, dim=1).values[:, -1]
        # A user who has nearly everything has no item at that rank, and takes any.
        column_B1 = torch.from_numpy(np.maximum(items_B, 1) - 1)[:, None]
        above_B = log_probs_BI.gather(1, column_B1)[:, 0] - edge_B
        return (above_B.double() / self.config.temperature).sigmoid().numpy()

    def take(self, items_B: IntArray) -> None:
        """See ``Users.take``."""
        super().take(items_B)
        if items_B.any():
            self.reader.append(items_B)

    def keep(self, rows: IntArray) -> None:
        """See ``Users.keep``."""
        super().keep(rows)
        self.reader.keep(rows)

    def replace(self, rows: IntArray, other: "JudgeUsers") -> None:
        """See ``Users.replace``."""
        super().replace(rows, other)
        self.reader.replace(rows, other.reader)


class JudgeUserModel(UserModel):
    """Users who behave as a judge says.

    Args:
        judge: A fitted recommender; a planner must share neither weights nor seed with it.
        config: How its probabilities become acceptance.
    """

    def __init__(self, judge: Recommender, config: JudgeUsersConfig | None = None) -> None:
        self.judge = judge
        self.config = config or JudgeUsersConfig()

    @property
    def name(self) -> str:
        """See ``UserModel.name``."""
        return self.judge.name

    @property
    def items(self) -> IdMap:
        """See ``UserModel.items``."""
        return self.judge.items

    @property
    def users(self) -> IdMap:
        """See ``UserModel.users``."""
        return self.judge.users

    def begin(self, users_B: IntArray, histories: Sequences) -> JudgeUsers:
        """See ``UserModel.begin``."""
        return JudgeUsers(self.judge, self.config, users_B, histories)
