"""Attention when planning with IRN: over windows, and over what is kept of earlier positions.

Shape suffixes: B rows, X layers, H heads, Q queries, L columns, D width, E width of a head, F
features of a kept state (D + 2), V features of a value and a one, N rows times heads.  The item at
position p of the window stands in column p + 1, and the objective, if it is shown, before the first
item of any row.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.irn.config import IRNConfig
from influpath.irn.folded import MASK, ONE, FoldedBlock
from influpath.native import reading as native

# Sums of exponentials between these are exact enough without moving the logits first.
SMALLEST, LARGEST = 2.0**-60, 2.0**100
# What the mask adds to logits of what is not seen: a number, since it is multiplied by zeros.
UNSEEN = -1e30
# With a smaller share of its rows than this, a cache moves those that stay.
STAYING = 7 / 8
# The features of a kept state that are its own.
OWN = slice(None, -2)


@dataclass(eq=False)
class StateCache:
    """What attention reads of earlier positions: the normalised states that enter every layer.

    Attributes:
        states_XBLF: States, a one, and what the mask adds to a query's logit, to the base of two.
        first: The first column in use: the objective's, or where it is hidden the first item's.
        shown: Whether the objective stands there.
        places_B: Where each row stands; None where all stand in their order.  To move those that
            stay takes longer than to carry a few along that do not.
    """

    states_XBLF: Tensor
    first: int
    shown: bool
    places_B: Tensor | None = None

    @classmethod
    def blank(cls, config: IRNConfig, rows: int) -> Self:
        """Return a cache for rows that have read nothing."""
        # Zeros, since what is not seen weighs nothing but must be a number.
        states_XBLF = torch.zeros(config.layers, rows, config.l_max, config.embedding_size + 2)
        states_XBLF[..., ONE] = 1.0
        return cls(states_XBLF, 0, False)

    def __len__(self) -> int:
        return self.states_XBLF.shape[1] if self.places_B is None else len(self.places_B)

    def part(self, rows: slice) -> "StateCache":
        """Return some rows, without copying them."""
        self.settle()
        return StateCache(self.states_XBLF[:, rows], self.first, self.shown)

    def keep(self, rows: Tensor) -> None:
        """Keep some rows of the batch, in the given order."""
        self.places_B = rows if self.places_B is None else self.places_B[rows]
        if len(rows) < STAYING * self.states_XBLF.shape[1]:
            self.settle()

    def settle(self) -> None:
        """Bring the rows into their order, without any others."""
        if self.places_B is not None:
            self.states_XBLF, self.places_B = self.states_XBLF[:, self.places_B], None

    def spread(self, rows: Tensor) -> Tensor:
        """Return something of every row where the rows stand, zeros where others stood."""
        if self.places_B is None:
            return rows
        places = rows.new_zeros(self.states_XBLF.shape[1], *rows.shape[1:])
        places[self.places_B] = rows
        return places

    def gather(self, places: Tensor) -> Tensor:
        """Return something of every place as one of every row."""
        return places if self.places_B is None else places[self.places_B]

    def put(self, rows: Tensor, other: "StateCache") -> None:
        """Replace some rows by those of another cache, both with the objective shown or hidden."""
        first = min(self.first, other.first)
        for cache in (self, other):
            cache.settle()
            cache.begin_at(first)
        self.states_XBLF[:, rows] = other.states_XBLF

    def begin_at(self, column: int) -> None:
        """Make an earlier column the first, or the same."""
        if self.shown and column < self.first:
            self.states_XBLF[:, :, column] = self.states_XBLF[:, :, self.first]
            self.states_XBLF[:, :, self.first, MASK] = UNSEEN
        self.first = column

    def write(self, layer: int, column: int, normed_BLD: Tensor) -> None:
        """Write a layer's states of windows whose first item stands in a column."""
        states_BLF, items = self.states_XBLF[layer], normed_BLD.shape[1] - self.shown
        states_BLF[:, column : column + items, OWN] = normed_BLD[:, -items:]
        if self.shown:
            states_BLF[:, self.first, OWN] = normed_BLD[:, 0]

    def forget(self) -> None:
        """Let nothing be seen."""
        self.states_XBLF[..., MASK] = UNSEEN

    def see(self, column: int, mask_BL: Tensor) -> None:
        """Say what the mask adds to columns of windows whose first item stands in a column."""
        items = mask_BL.shape[1] - self.shown
        self.states_XBLF[:, :, column : column + items, MASK] = mask_BL[:, -items:]
        if self.shown:
            self.states_XBLF[:, :, self.first, MASK] = mask_BL[:, 0]

    def weigh(self, mask_B: Tensor) -> None:
        """Say what the mask adds to the objective of those rows in which it is seen."""
        seen_B = self.states_XBLF[0, :, self.first, MASK] > UNSEEN / 2
        mask_B = self.spread(mask_B)
        self.states_XBLF[:, :, self.first, MASK] = mask_B.where(seen_B, UNSEEN)


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
