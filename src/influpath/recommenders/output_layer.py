"""The output projection made ready for inference: the catalogue is met in chunks that stay cached.

The bias is one more row of the weight, and the logits of a chunk are turned into what is wanted of
them before the next chunk is made, so that rows by catalogue is only ever stored where asked for.

Shape suffixes: N rows, C rows of one chunk, D width, F the same and a one, I catalogue items.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.data.sequences import IntArray
from influpath.native import reading as native
from influpath.native.output import Tiles
from influpath.recommenders.blocks import output_chunks

Scores = npt.NDArray[np.float32]

# Sums of exponentials between these are exact enough without moving the logits first.
SMALLEST, LARGEST = 2.0**-60, 2.0**100
# Taken from the logits of barred items: beyond any logit.
BARRED = 1e30


class OutputLayer:
    """Maps hidden states to log-probabilities over the catalogue.

    Args:
        weight_ID: Output projection.
        bias_I: Its bias, or None.
    """

    def __init__(self, weight_ID: Tensor, bias_I: Tensor | None) -> None:
        last_1I = torch.zeros(1, len(weight_ID)) if bias_I is None else bias_I[None]
        self.weight_FI = torch.cat([weight_ID.T, last_1I]).detach()

    @cached_property
    def tiles(self) -> Tiles | None:
        """The projection as the compiled kernel wants it, or None."""
        return Tiles.of(self.weight_FI)

    @property
    def items(self) -> int:
        """Catalogue size."""
        return self.weight_FI.shape[1]

    def log_probs(self, hidden_ND: Tensor) -> Tensor:
        """Return log-probabilities, [N, I]."""
        result_NI = torch.empty(len(hidden_ND), self.items)
        for chunk in self.chunks(hidden_ND):
            torch.sub(chunk.logits_CI, chunk.total_C1, out=result_NI[chunk.rows])
        return result_NI

    def log_probs_at(self, hidden_ND: Tensor, column_N: Tensor) -> Tensor:
        """Return the log-probability of one catalogue column of each row, [N]."""
        hidden_NF = F.pad(hidden_ND, (0, 1), value=1.0)
        total_N = None if self.tiles is None else self.tiles.log_totals(hidden_NF)
        if total_N is not None:
            # A few at a time, so that the weights of their columns stay in the cache.
            for rows in output_chunks(len(hidden_NF), len(self.weight_FI)):
                own_CF = self.weight_FI.T[column_N[rows]]
                total_N[rows] = (hidden_NF[rows] * own_CF).sum(1).sub_(total_N[rows])
            return total_N
        result_N = torch.empty(len(hidden_ND))
        for chunk in self.chunks(hidden_ND):
            logit_C1 = chunk.logits_CI.gather(1, column_N[chunk.rows, None])
            result_N[chunk.rows] = (logit_C1 - chunk.total_C1)[:, 0]
        return result_N

    def best(
        self, hidden_ND: Tensor, barred_NI: Tensor
    ) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """Return the column of the most probable item that is not barred, and its log-probability.

        The log-probability is -inf where all are barred.

        Args:
            hidden_ND: Hidden states.
            barred_NI: bool.
        """
        column_N = np.empty(len(hidden_ND), dtype=np.int64)
        best_N = np.empty(len(hidden_ND), dtype=np.float32)
        for chunk in self.chunks(hidden_ND):
            column_N[chunk.rows], logit_C = chunk.best(barred_NI[chunk.rows])
            best_N[chunk.rows] = logit_C - chunk.total_C1[:, 0].numpy()
        return column_N, best_N

    def chunks(self, hidden_ND: Tensor) -> Iterator["Chunk"]:
        """Give rows a few at a time.

        What a chunk holds may be changed; it is overwritten for the next one.
        """
        hidden_NF = F.pad(hidden_ND, (0, 1), value=1.0)
        logits, powers = torch.empty(0), torch.empty(0)
        for rows in output_chunks(len(hidden_ND), self.items):
            count = rows.stop - rows.start
            if not len(logits):
                logits, powers = torch.empty(2, count, self.items)
            logits_CI, powers_CI = logits[:count], powers[:count]
            torch.mm(hidden_NF[rows], self.weight_FI, out=logits_CI)
            total_C1 = log_totals(logits_CI, powers_CI)
            yield Chunk(rows, logits_CI, total_C1, powers_CI)


class Chunk(NamedTuple):
    """Some rows that meet the catalogue.

    Attributes:
        rows: Which.
        logits_CI: Their logits.
        total_C1: Logarithm of the sum of exponentials.
        room_CI: To write to.
    """

    rows: slice
    logits_CI: Tensor
    total_C1: Tensor
    room_CI: Tensor

    def best(self, barred_CI: Tensor) -> tuple[IntArray, Scores]:
        """Return the first column of the highest logit that is not barred, and the logit.

        The logit is -inf where all are barred; those that are may be changed.
        """
        by_kernel = native.highest_allowed(self.logits_CI, barred_CI)
        if by_kernel is not None:
            return by_kernel[0].numpy(), by_kernel[1].numpy()
        # As numbers: to copy and subtract takes a fifth of the time of a choice.
        self.room_CI.copy_(barred_CI.view(torch.uint8))
        # NumPy's search is ten times faster than torch's.
        logits = self.logits_CI.sub_(self.room_CI, alpha=BARRED).numpy()
        column_C = logits.argmax(axis=1)
        logit_C = logits[np.arange(len(column_C)), column_C]
        return column_C, np.where(logit_C > -BARRED / 2, logit_C, -np.inf)


def log_totals(logits_CI: Tensor, powers_CI: Tensor) -> Tensor:
    """Return the logarithm of each row's sum of exponentials, [C, 1].

    Args:
        logits_CI: Logits.
        powers_CI: Room for their exponentials.
    """
    by_kernel = native.log_totals(logits_CI)
    if by_kernel is not None:
        return by_kernel
    total_C1 = torch.exp(logits_CI, out=powers_CI).sum(1, keepdim=True)
    low, high = total_C1.aminmax()
    if low > SMALLEST and high < LARGEST:
        return total_C1.log_()
    return logits_CI.logsumexp(1, keepdim=True)
