"""The output projection made ready for inference: the catalogue is met in chunks that stay cached.

The bias is one more row of the weight, and the logits of a chunk are turned into what is wanted of
them before the next chunk is made, so that rows by catalogue is only ever stored where asked for.

Shape suffixes: N rows, C rows of one chunk, D width, F the same and a one, I catalogue items.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.data.sequences import IntArray
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

    @property
    def items(self) -> int:
        """Catalogue size."""
        return self.weight_FI.shape[1]

    def log_probs(self, hidden_ND: Tensor) -> Tensor:
        """Return log-probabilities, [N, I]."""
        result_NI = torch.empty(len(hidden_ND), self.items)
        for rows, logits_CI, total_C1, _ in self.chunks(hidden_ND):
            torch.sub(logits_CI, total_C1, out=result_NI[rows])
        return result_NI

    def log_probs_at(self, hidden_ND: Tensor, column_N: Tensor) -> Tensor:
        """Return the log-probability of one catalogue column of each row, [N]."""
        result_N = torch.empty(len(hidden_ND))
        for rows, logits_CI, total_C1, _ in self.chunks(hidden_ND):
            result_N[rows] = (logits_CI.gather(1, column_N[rows, None]) - total_C1)[:, 0]
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
        for rows, logits_CI, total_C1, scratch_CI in self.chunks(hidden_ND):
            # As numbers: to copy and subtract takes a fifth of the time of a choice.
            logits_CI.sub_(scratch_CI.copy_(barred_NI[rows].view(torch.uint8)), alpha=BARRED)
            # NumPy's search is ten times faster than torch's.
            column_C = logits_CI.numpy().argmax(axis=1)
            logit_C = logits_CI.numpy()[np.arange(len(column_C)), column_C]
            column_N[rows] = column_C
            best_N[rows] = np.where(
                logit_C > -BARRED / 2, logit_C - total_C1[:, 0].numpy(), -np.inf
            )
        return column_N, best_N

    def chunks(self, hidden_ND: Tensor) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
        """Give rows, their logits [C, I], log of the sum of exponentials [C, 1], and room [C, I].

        What they hold may be changed; it is overwritten for the next chunk.
        """
        hidden_NF = F.pad(hidden_ND, (0, 1), value=1.0)
        logits, powers = torch.empty(0), torch.empty(0)
        for rows in output_chunks(len(hidden_ND), self.items):
            count = rows.stop - rows.start
            if not len(logits):
                logits, powers = torch.empty(2, count, self.items)
            logits_CI, powers_CI = logits[:count], powers[:count]
            torch.mm(hidden_NF[rows], self.weight_FI, out=logits_CI)
            total_C1 = torch.exp(logits_CI, out=powers_CI).sum(1, keepdim=True)
            low, high = total_C1.aminmax()
            if low > SMALLEST and high < LARGEST:
                total_C1.log_()
            else:
                total_C1 = logits_CI.logsumexp(1, keepdim=True)
            yield rows, logits_CI, total_C1, powers_CI
