"""A recommender and a planner of one's own; two entry points make them known by name."""

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data import Dataset, Sequences
from influpath.planning.base import Proposal, State, best_allowed
from influpath.planning.model_planner import ModelPlanner
from influpath.recommenders.base import Recommender


class MarkovConfig(FrozenConfig):
    smoothing: float = 0.1


class Markov(Recommender):
    """P(i | last item), by counting; row 0 of the table is for an empty history."""

    name: ClassVar[str] = "markov"
    config_class: ClassVar[type[FrozenConfig]] = MarkovConfig
    config: MarkovConfig

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        counts = torch.full((self.item_count + 1, self.item_count), self.config.smoothing)
        items = torch.from_numpy(dataset.sequences.values)
        before = items.roll(1)
        before[torch.from_numpy(dataset.sequences.offsets[:-1])] = 0
        counts.index_put_((before, items - 1), torch.ones(()), accumulate=True)
        self.table = (counts / counts.sum(1, keepdim=True)).log()
        return {"epochs": [], "best_epoch": 0, "best": 0.0, "seconds": 0.0}

    def log_probs(self, histories: Sequences, users: Any = None) -> Tensor:
        self.items  # noqa: B018 - raises where the model is not trained
        return self.table[torch.from_numpy(histories.last())].clone()

    def _weights(self) -> dict[str, Tensor]:
        return {"table": self.table}

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self.table = torch.empty(self.item_count + 1, self.item_count).copy_(weights["table"])


class NudgeConfig(FrozenConfig):
    weight: float = 1.0


# Shows the best of the top 20 by log P(i | s) + weight * log P(objective | s, i).
class NudgePlanner(ModelPlanner[NudgeConfig]):
    name: ClassVar[str] = "nudge"
    config_class: ClassVar[type[FrozenConfig]] = NudgeConfig

    def step(self, state: State) -> Proposal:
        scores, top = self.allowed_log_probs(state).topk(20, dim=1)
        after = self.model.log_prob_after(state.known, top.numpy() + 1, state.objectives_B)
        both = torch.full((len(state), len(self.items)), -torch.inf)
        return best_allowed(both.scatter(1, top, scores + self.config.weight * after))
