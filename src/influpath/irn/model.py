"""IRN, the Influential Recommender Network (Zhu et al., ICDE 2023, section III-D).

Shape suffixes: B batch, L window, D width, K candidates, R rows, I catalogue items.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.irn.config import IRNConfig
from influpath.irn.examples import InfluenceTask, training_pieces, training_stretches
from influpath.irn.folded import folded
from influpath.irn.network import IRNNetwork
from influpath.irn.reading import READ_POSITIONS, peek, read_windows, row_chunks
from influpath.irn.state_cache import StateCache
from influpath.irn.window import empty_slots, plan_window
from influpath.recommenders.base import Recommender
from influpath.recommenders.blocks import evaluating
from influpath.recommenders.item2vec import item2vec
from influpath.training.loop import seeded, train

# Windows that are read together as in training.
PLAIN_ROWS = 512


class IRN(Recommender):
    """A sequence model that sees the objective; as a plain recommender it hides the objective.

    Args:
        config: ``IRNConfig``; or
        settings: its fields as keywords.
    """

    name: ClassVar[str] = "irn"
    config_class: ClassVar[type[FrozenConfig]] = IRNConfig
    parallel: ClassVar[bool] = True
    config: IRNConfig
    module: IRNNetwork

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        config = self.config
        training, validation = training_pieces(dataset.sequences, config)
        with seeded(config.seed, 0):
            self.module = IRNNetwork(config, self.item_count, len(self.users))
        stretches = training_stretches(dataset.sequences, config) if config.recut else None
        task = InfluenceTask(self.module, training, validation, stretches)
        identity = {
            "kind": self.name,
            "config": config.model_dump(mode="json"),
            "data": dataset.fingerprint,
        }
        if config.item2vec and not (checkpoint and checkpoint.exists()):
            self._initialise_items(training.sequences)
        return train(task, config.training, config.seed, checkpoint, identity).to_dict()

    def _initialise_items(self, sequences: Sequences) -> None:
        """Start the item embedding from item2vec, scaled to the spread of the random one."""
        embedding = self.module.item.weight
        config = self.config
        vectors = item2vec(
            sequences,
            self.item_count,
            config.embedding_size,
            config.seed,
            epochs=config.item2vec_epochs,
        )
        scaled = torch.as_tensor(vectors * float(embedding.std().detach()) / vectors[1:].std())
        trained = torch.as_tensor(np.abs(vectors).sum(1) > 0)
        with torch.no_grad():
            embedding[trained] = scaled[trained]

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """Return log p(i | s), the objective hidden; see ``Recommender.log_probs``."""
        hidden = np.zeros(len(histories), dtype=np.int64)
        return self.log_probs_toward(histories, hidden, users)

    def log_probs_toward(
        self,
        histories: Sequences,
        objectives: IntArray,
        users: IntArray | None = None,
        max_length: int | None = None,
    ) -> Tensor:
        """Return log p(i | s, i_t) for the first step of a path, at neutral dials.

        Args:
            histories: One row each.
            objectives: Item numbers; 0 hides the objective.
            users: User rows, -1 or None where unknown.
            max_length: M; ``config.horizon`` by default.

        Returns:
            float32 [R, I].
        """
        self.items  # noqa: B018 - raises where the model is not trained
        config = self.config
        slots = empty_slots(1, max_length or config.horizon, 1, config.aligned)
        users = np.full(len(histories), -1) if users is None else users
        with torch.no_grad():
            r_R = self.module.r_u(torch.as_tensor(users))
            w_t_RL = torch.full((len(histories), config.l_max), config.w_t)
            shown_R = objectives if objectives.any() else None
            return self.log_probs_of(self.read(histories, shown_R, slots, r_R, w_t_RL))

    @torch.no_grad()
    def read(
        self,
        known: Sequences,
        objectives_B: IntArray | None,
        slots: int,
        r_B: Tensor,
        w_t_BL: Tensor,
        cache: StateCache | None = None,
        plain: bool = False,
    ) -> Tensor:
        """Return the hidden state that chooses the next item of each row, [B, D].

        Args:
            known: History and path so far.
            objectives_B: Item numbers, 0 where hidden; None where all are.
            slots: Empty slots between the last known item and the objective.
            r_B: Impressionability.
            w_t_BL: Aggressiveness at each position of the window, [B, l_max].
            cache: Overwritten by the keys and values that are read.
            plain: Read whole windows as in training: the same but for rounding, without a cache.
                So is every shown objective that sees the items (``leak``).
        """
        evaluating(self.module)
        if not (plain or (self.config.leak and objectives_B is not None)):
            shown_B = None if objectives_B is None else torch.as_tensor(objectives_B)
            return read_windows(self.module, known, shown_B, slots, r_B, w_t_BL, cache)
        last_B = np.zeros(len(known), np.int64) if objectives_B is None else objectives_B
        windows_BL = plan_window(known, last_B, slots, self.config.l_max)
        at = self.config.l_max - 2 - slots
        parts = [torch.empty(0, self.config.embedding_size)]
        for start in range(0, len(known), PLAIN_ROWS):
            rows = slice(start, start + PLAIN_ROWS)
            items_BL = windows_BL[rows]
            hidden_B1D = self.module(items_BL, items_BL[:, -1] > 0, r_B[rows], w_t_BL[rows], at)
            parts.append(hidden_B1D[:, 0])
        return torch.cat(parts)

    @torch.no_grad()
    def log_probs_of(self, hidden_BD: Tensor) -> Tensor:
        """Project hidden states to log-probabilities over the catalogue, [B, I] (formula 7)."""
        return folded(self.module).output.log_probs(hidden_BD)

    @torch.no_grad()
    def best_of(
        self, hidden_BD: Tensor, barred_BI: Tensor
    ) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """Return the most probable item of each row that is not barred, and its log-probability.

        Where all are barred that is 0, and -inf.

        Args:
            hidden_BD: Hidden states.
            barred_BI: bool, one column per item.
        """
        column_B, best_B = folded(self.module).output.best(hidden_BD, barred_BI)
        return np.where(best_B > -np.inf, column_B + 1, 0), best_B

    @torch.no_grad()
    def log_prob_after_each(
        self, items_BK: Tensor, position: int, cache: StateCache, column_B1: Tensor
    ) -> Tensor:
        """Return log p(target | s + item), the objective hidden, for each item, [B, K].

        Args:
            items_BK: Items that might come next.
            position: Their position in the window.
            cache: What was read of s with the objective hidden.
            column_B1: Catalogue columns (item number - 1) of the targets.
        """
        result_BK, output = torch.empty(items_BK.shape), folded(self.module).output
        for rows in row_chunks(len(items_BK), READ_POSITIONS // max(1, items_BK.shape[1])):
            hidden_BKD = peek(self.module, items_BK[rows], position, cache.part(rows))
            column_BK = column_B1[rows].expand(-1, items_BK.shape[1])
            result_BK[rows] = output.log_probs_at(
                hidden_BKD.flatten(0, 1), column_BK.flatten()
            ).view(column_BK.shape)
        return result_BK

    def item_vectors(self) -> Tensor:
        """Return the output projection, [I, D]: the item embeddings where the two are tied."""
        self.items  # noqa: B018 - raises where the model is not trained
        return self.module.output()[0].detach()

    def impressionability(self) -> Tensor:
        """Return r_u of every user the model was trained on (formula 5), [users]."""
        self.items  # noqa: B018 - raises where the model is not trained
        with torch.no_grad():
            return self.module.r_u(torch.arange(len(self.users)))

    def _weights(self) -> dict[str, Tensor]:
        return dict(self.module.state_dict())

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self.module = IRNNetwork(self.config, self.item_count, len(self.users))
        self.module.load_state_dict(weights)
        self.module.eval()
