"""Attention of folded blocks: over windows, and of the last position alone.

Shape suffixes: B rows, H heads, Q queries, L columns, D width, E width of a head, F features of a
kept state (D + 2), V features of a value and a one, N rows times heads.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.native import reading as native
from influpath.recommenders.folded import MASK, ONE, FoldedBlock

# Sums of exponentials between these are exact enough without moving the logits first.
SMALLEST, LARGEST = 2.0**-60, 2.0**100
# What the mask adds to logits of what is not seen: a number, since it is multiplied by zeros.
UNSEEN = -1e30


class Mixing:
    """Attention for all layers of one reading.

    Written out: for heads as narrow as these, products in batches are twice as fast as torch's
    fused kernel.  Weights are powers of two, and the highest logit is not looked for first, unless
    a sum turns out to be beyond what a number can hold.  The compiled kernels, where there are any,
    do all that at once, and always look for it.

    Args:
        careful: Whether to subtract the highest logit first.
    """

    def __init__(self, careful: bool) -> None:
        self.careful = careful
        self.totals: list[Tensor] = []

    def heads(
        self,
        q_NEQ: Tensor,
        k_NEL: Tensor,
        v_NVL: Tensor,
        bias_BLQ: Tensor,
        itself: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return the mixture of values, [B, D, Q].

        Args:
            q_NEQ: Queries.
            k_NEL: Keys.
            v_NVL: Values and a one.
            bias_BLQ: What is added to the logits, the same in every head: of each query, or one for
                all.
            itself: Key [N, E, Q], and value and a one [N, V, Q], that each query alone sees, in the
                last column, where there are no other values.
        """
        v_NEL, own = v_NVL[:, :-1], itself and (itself[0], itself[1][:, :-1])
        by_kernel = native.mix_each(q_NEQ, k_NEL, v_NEL, bias_BLQ, own)
        if by_kernel is not None:
            return by_kernel
        batch, queries = len(bias_BLQ), q_NEQ.shape[2]
        logits_NLQ = torch.bmm(k_NEL.mT, q_NEQ)
        if itself is not None:
            logits_NLQ[:, -1] = (q_NEQ * itself[0]).sum(1)
        weights_BHLQ = logits_NLQ.view(batch, -1, *logits_NLQ.shape[1:]).add_(bias_BLQ[:, None])
        if self.careful:
            weights_BHLQ -= weights_BHLQ.amax(2, keepdim=True)
        weights_NLQ = weights_BHLQ.exp2_().flatten(0, 1)
        mixed_NVQ = torch.bmm(v_NVL, weights_NLQ)
        if itself is not None:
            mixed_NVQ.addcmul_(weights_NLQ[:, -1:], itself[1])
        total_N1Q = mixed_NVQ[:, -1:]
        self.totals.append(total_N1Q)
        return (mixed_NVQ[:, :-1] / total_N1Q).view(batch, -1, queries)

    def last(self, block: FoldedBlock, x_BD: Tensor, states_BLF: Tensor) -> Tensor:
        """Add the attention of the last position to its features, [B, D].

        Args:
            block: The layer.
            x_BD: The position's features.
            states_BLF: What it sees, itself last.
        """
        by_kernel = native.mix_last(states_BLF, block.asked_FN, block.heads)
        if by_kernel is not None:
            return torch.addmm(x_BD, by_kernel.flatten(1), block.mixed_ND)
        batch, _, features = states_BLF.shape
        query_BFH = (states_BLF[:, -1] @ block.query_FN).view(batch, features, -1)
        # The mask is among the features.
        weights_BLH = torch.bmm(states_BLF, query_BFH)
        if self.careful:
            weights_BLH -= weights_BLH.amax(1, keepdim=True)
        mixed_BHF = torch.bmm(weights_BLH.exp2_().mT, states_BLF)
        total_BH1 = mixed_BHF[..., ONE, None]
        self.totals.append(total_BH1)
        return torch.addmm(x_BD, (mixed_BHF / total_BH1).flatten(1), block.mixed_ND)

    def sound(self) -> bool:
        """Whether all sums were in range so far."""
        if self.careful or not self.totals:
            return True
        low, high = torch.cat([total.flatten() for total in self.totals]).aminmax()
        return bool(low > SMALLEST and high < LARGEST)


def states_of(normed_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Return normalised states as they are kept, [B, L, F]."""
    states_BLF = F.pad(normed_BLD, (0, 2), value=1.0)
    states_BLF[..., MASK] = mask_BL
    return states_BLF


def base_two(bias: Tensor) -> Tensor:
    """Return what is added to logits as powers of two, of what is added to natural ones."""
    return (bias / math.log(2)).clamp_(min=UNSEEN)
