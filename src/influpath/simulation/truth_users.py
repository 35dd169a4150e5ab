"""Users of the simulated world, driven by its truth; see ``data/simulated.py`` for the formulas.

Shape suffixes: B users, I catalogue items, D dimensions of the taste space.
"""

import numpy as np
import torch
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.data.simulated import WorldTruth
from influpath.simulation.users import FloatArray, UserModel, Users


class TruthUsers(Users):
    """Users at one moment: their tastes, and what they have."""

    def __init__(self, truth: WorldTruth, users_B: IntArray, histories: Sequences) -> None:
        super().__init__(histories, len(truth.vectors))
        self.truth = truth
        self.taste_BD = truth.state(histories, users_B)

    def _ask(self) -> Tensor:
        return torch.from_numpy(self.truth.next_item(self.taste_BD)).log().float()

    def acceptance(self, items_B: IntArray) -> FloatArray:
        """See ``Users.acceptance``."""
        acceptance_BI = self.truth.acceptance(self.taste_BD)
        column_B1 = np.maximum(items_B, 1)[:, None] - 1
        return np.take_along_axis(acceptance_BI, column_B1, axis=1)[:, 0]

    def take(self, items_B: IntArray) -> None:
        """See ``Users.take``."""
        super().take(items_B)
        self.taste_BD = self.truth.accept(self.taste_BD, items_B)

    def keep(self, rows: IntArray) -> None:
        """See ``Users.keep``."""
        super().keep(rows)
        self.taste_BD = self.taste_BD[rows]

    def replace(self, rows: IntArray, other: "TruthUsers") -> None:
        """See ``Users.replace``."""
        super().replace(rows, other)
        self.taste_BD[rows] = other.taste_BD


class TruthUserModel(UserModel):
    """Users who behave as the simulated world has it.

    Args:
        truth: In the numbers of the dataset.
        dataset: Made from the world.
    """

    def __init__(self, truth: WorldTruth, dataset: Dataset) -> None:
        self.truth = truth
        self.dataset = dataset

    @property
    def name(self) -> str:
        """See ``UserModel.name``."""
        return "truth"

    @property
    def items(self) -> IdMap:
        """See ``UserModel.items``."""
        return self.dataset.items

    @property
    def users(self) -> IdMap:
        """See ``UserModel.users``."""
        return self.dataset.users

    def begin(self, users_B: IntArray, histories: Sequences) -> TruthUsers:
        """See ``UserModel.begin``."""
        return TruthUsers(self.truth, users_B, histories)
