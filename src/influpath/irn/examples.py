"""IRN's training examples: contiguous pieces of histories, each led by its own last item.

Shape suffixes: B batch, L window, N supervised positions, D width.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.data.splits import cut_pieces, random_subset
from influpath.irn.config import IRNConfig
from influpath.irn.network import IRNNetwork
from influpath.irn.window import training_window
from influpath.training.batches import bucketed_batches, even_parts
from influpath.training.catalogue_loss import catalogue_loss
from influpath.training.loop import Task
from influpath.training.negatives import Negatives
from influpath.training.shards import shard_count

VALIDATION_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of histories, and the user row each one comes from."""

    sequences: Sequences
    users: IntArray

    def take(self, rows: IntArray) -> "Pieces":
        """Return the given pieces."""
        return Pieces(self.sequences.take(rows), self.users[rows])


def training_pieces(sequences: Sequences, config: IRNConfig) -> tuple[Pieces, Pieces]:
    """Cut histories into pieces, once and by seed; return those that train and that validate.

    Pieces of a single item hold nothing to predict and are left away.
    """
    pieces, validate = all_pieces(sequences, config)
    return pieces.take(np.flatnonzero(~validate)), pieces.take(np.flatnonzero(validate))


def training_stretches(sequences: Sequences, config: IRNConfig) -> Pieces:
    """Return what ``training_pieces`` trains on, pieces joined that follow one another.

    However it is cut, no item of a validating piece gets into a training one.
    """
    pieces, validate = all_pieces(sequences, config)
    kept = np.flatnonzero(~validate)
    training = pieces.take(kept)
    begins = (np.diff(kept, prepend=-2) > 1) | (np.diff(training.users, prepend=-1) != 0)
    first = np.flatnonzero(begins)
    lengths = np.add.reduceat(training.sequences.lengths, first) if len(first) else first
    joined = Sequences.from_lengths(training.sequences.values, lengths)
    return Pieces(joined, training.users[first])


def all_pieces(sequences: Sequences, config: IRNConfig) -> tuple[Pieces, npt.NDArray[np.bool_]]:
    """Return the pieces of every history, one after the other, and which of them validate."""
    rng = np.random.default_rng([config.seed, 0xC07])
    pieces = cut(Pieces(sequences, np.arange(len(sequences))), config, rng)
    return pieces, random_subset(len(pieces.users), VALIDATION_SHARE, rng)


def cut(whole: Pieces, config: IRNConfig, rng: np.random.Generator) -> Pieces:
    """Cut into pieces of l_min to l_max items, where there are as many."""
    sequences, row = cut_pieces(whole.sequences, config.l_min, config.l_max, rng)
    more = np.flatnonzero(sequences.lengths > 1)
    return Pieces(sequences.take(more), whole.users[row[more]])


class InfluenceTask(Task):
    """Minimise formula 9 on the training pieces; validate by the same loss on the others.

    In ``objective_dropout`` of the training pieces the objective is hidden, so that the network
    is also a model of p(i | s); validation always shows it.

    Args:
        module: The network.
        training: Pieces to train on.
        validation: Pieces to validate on.
        stretches: What the training pieces are cut from, anew in every epoch; None leaves them.
    """

    label = "irn"
    criterion = "validation_loss"
    higher_is_better = False
    module: IRNNetwork

    def __init__(
        self,
        module: IRNNetwork,
        training: Pieces,
        validation: Pieces,
        stretches: Pieces | None = None,
    ) -> None:
        self.module = module
        self.config = module.config
        self.stretches = stretches
        self.training, self.validation = training, validation
        self.negatives = Negatives(training.sequences, len(module.bias))
        self.weights = sum(weights.numel() for weights in module.parameters())

    def batches(self, rng: np.random.Generator) -> list[Any]:
        """Return row indices per batch, rows of similar length together."""
        if self.stretches is not None:
            self.training = cut(self.stretches, self.config, rng)
        return list(
            bucketed_batches(self.training.sequences.lengths, rng, rows=self.config.batch_size)
        )

    def shards(self, batch: Any) -> list[Any]:
        """Cut rows into groups of about equally many positions; a sampled softmax is shared."""
        if self.config.training.softmax_sample:
            return [batch]
        lengths = self.training.sequences.lengths[batch]
        parts = even_parts(lengths, shard_count(int(lengths.sum()), self.weights))
        return [batch[rows] for rows in parts]

    def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the mean loss over the batch's positions."""
        shown = rng.random(len(batch)) >= self.config.objective_dropout
        return self._loss(self.training.take(batch), torch.as_tensor(shown), rng)

    def validate(self) -> dict[str, float]:
        """Return the loss with the objective shown, and with it hidden (a plain recommender).

        Where training samples the softmax, so does this, but with the same samples every time.
        """
        rng = np.random.default_rng(0)
        lengths = self.validation.sequences.lengths
        totals, count = np.zeros(2), 0
        for rows in bucketed_batches(lengths, rng, rows=self.config.batch_size):
            part = self.validation.take(rows)
            losses = []
            for shown in (True, False):
                loss, size = self._loss(part, torch.full((len(rows),), shown), rng)
                losses.append(float(loss))
            totals, count = totals + np.array(losses) * size, count + size
        shown_loss, hidden_loss = (totals / max(count, 1)).tolist()
        return {"validation_loss": shown_loss, "validation_loss_hidden": hidden_loss}

    def _loss(
        self, pieces: Pieces, shown_B: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, int]:
        items_BL = training_window(pieces.sequences)
        hidden_BLD = self.module(
            items_BL,
            shown_B,
            self.module.r_u(torch.as_tensor(pieces.users)),
            torch.full(items_BL.shape, self.config.w_t),
        )
        # Position j predicts item j + 1; pads come first, so a real item is followed by one.
        asked_BL = items_BL[:, :-1] > 0
        if not self.config.objective_in_loss:
            asked_BL[:, -1] = False
        target_N = items_BL[:, 1:][asked_BL]
        size = self.config.training.softmax_sample
        sample = self.negatives.sample(size, rng) if size else None
        hidden_ND = hidden_BLD[:, :-1][asked_BL]
        loss = catalogue_loss(
            hidden_ND, target_N, self.module.output, self.module.output_of, sample
        )
        return loss, len(target_N)
