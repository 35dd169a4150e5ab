"""Attention over keys and values that are kept, for planning with IRN.

Shape suffixes: B rows, X layers, H heads, Q queries, K candidates, L columns, E width of a head,
F the same and one for a row of ones, N rows times heads.  The item at position p of the window
stands in column p + 1, and the objective, if it is shown, before the first item of any row.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.irn.config import IRNConfig
from influpath.recommenders.blocks import Attention

# Heads below this width: for a single query, sums are faster than products in batches.
NARROW = 12
# Sums of exponentials between these are exact enough without moving the logits first.
SMALLEST, LARGEST = 2.0**-60, 2.0**100


@dataclass(eq=False)
class KeyValueCache:
    """Keys and values of every layer, and which of them may be attended to.

    Attributes:
        keys_XBHEL: Keys.
        values_XBHFL: Values, and below them a row of ones.
        known_BL: Columns that hold an item, or the objective where it is shown.
        first: The first column in use: the objective's, or where it is hidden the first item's.
        shown: Whether the objective stands there.
    """

    keys_XBHEL: Tensor
    values_XBHFL: Tensor
    known_BL: Tensor
    first: int
    shown: bool

    @classmethod
    def blank(cls, config: IRNConfig, rows: int) -> Self:
        """Return a cache for rows that have read nothing."""
        size = config.embedding_size // config.heads
        # Zeros, since what is not known weighs nothing but must be a number.
        keys_XBHEL = torch.zeros(config.layers, rows, config.heads, size, config.l_max)
        values_XBHFL = F.pad(keys_XBHEL, (0, 0, 0, 1), value=1.0)
        known_BL = torch.zeros(rows, config.l_max, dtype=torch.bool)
        return cls(keys_XBHEL, values_XBHFL, known_BL, 0, False)

    def __len__(self) -> int:
        return len(self.known_BL)

    def part(self, rows: slice) -> "KeyValueCache":
        """Return some rows, without copying them."""
        keys_XBHEL, values_XBHFL = self.keys_XBHEL[:, rows], self.values_XBHFL[:, rows]
        return KeyValueCache(keys_XBHEL, values_XBHFL, self.known_BL[rows], self.first, self.shown)

    def keep(self, rows: Tensor) -> None:
        """Keep some rows of the batch, in the given order."""
        self.keys_XBHEL = self.keys_XBHEL[:, rows]
        self.values_XBHFL = self.values_XBHFL[:, rows]
        self.known_BL = self.known_BL[rows]

    def put(self, rows: Tensor, other: "KeyValueCache") -> None:
        """Replace some rows by those of another cache, both with the objective shown or hidden."""
        first = min(self.first, other.first)
        for cache in (self, other):
            cache.begin_at(first)
        self.keys_XBHEL[:, rows] = other.keys_XBHEL
        self.values_XBHFL[:, rows] = other.values_XBHFL
        self.known_BL[rows] = other.known_BL

    def begin_at(self, column: int) -> None:
        """Make an earlier column the first, or the same."""
        if self.shown and column < self.first:
            for kept in (self.keys_XBHEL, self.values_XBHFL, self.known_BL):
                kept[..., column] = kept[..., self.first]
            self.known_BL[:, self.first] = False
        self.first = column

    def write(self, layer: int, column: int, k_BHEL: Tensor, v_BHFL: Tensor) -> None:
        """Write the keys and values of windows whose first item stands in a column."""
        for kept, new in (
            (self.keys_XBHEL[layer], k_BHEL),
            (self.values_XBHFL[layer], v_BHFL),
        ):
            items = new.shape[3] - self.shown
            kept[..., column : column + items] = new[..., -items:]
            if self.shown:
                kept[..., self.first] = new[..., 0]

    def bias(self, stop: int) -> Tensor:
        """Return what is added to the logits of the columns from the first on, [B, L]."""
        known_BL = self.known_BL[:, self.first : stop]
        return torch.zeros(known_BL.shape).masked_fill_(~known_BL, -torch.inf)


class Mixing:
    """Attention with numbers added to the logits, for all layers of one reading.

    Written out: for heads as narrow as these, products in batches are twice as fast as torch's
    fused kernel.  Weights are powers of two, and the highest logit is not looked for first, unless
    a sum turns out to be beyond what a number can hold.

    Args:
        bias_BQL: What is added to the logits, the same in every head.  The queries are the last
            ones of it, or it is one for all queries.
        careful: Whether to subtract the highest logit first.
    """

    def __init__(self, bias_BQL: Tensor, careful: bool) -> None:
        # Logits of base two.
        self.bias_B1QL = bias_BQL[:, None] / math.log(2)
        self.careful = careful
        self.totals: list[Tensor] = []

    def __call__(
        self,
        q_BHQE: Tensor,
        k_BHEL: Tensor,
        v_BHFL: Tensor,
        itself: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return the mixture of values, [B, H, Q, E].

        Args:
            q_BHQE: Queries.
            k_BHEL: Keys.
            v_BHFL: Values, and a row of ones.
            itself: Key and value, [B, H, Q, E], that each query alone sees in the last column,
                where there are no other values.
        """
        batch, heads, queries, size = q_BHQE.shape
        single = queries == 1 and size < NARROW
        if single:
            logits_BHQL = (k_BHEL * q_BHQE.mT).sum(2, keepdim=True)
        else:
            q_NQE, k_NEL = q_BHQE.reshape(-1, queries, size), k_BHEL.flatten(0, 1)
            logits_BHQL = torch.bmm(q_NQE, k_NEL).view(batch, heads, queries, -1)
        if itself is not None:
            logits_BHQL[..., -1] = (q_BHQE * itself[0]).sum(-1)
        scale = size**-0.5 / math.log(2)
        bias_B1QL = self.bias_B1QL[:, :, -queries:]
        weights_BHQL = torch.add(bias_B1QL, logits_BHQL, alpha=scale, out=logits_BHQL)
        if self.careful:
            weights_BHQL -= weights_BHQL.amax(-1, keepdim=True)
        weights_BHQL.exp2_()
        if single:
            mixed_BHFQ = (v_BHFL * weights_BHQL).sum(-1, keepdim=True)
        else:
            v_NFL, weights_NLQ = v_BHFL.flatten(0, 1), weights_BHQL.flatten(0, 1).mT
            mixed_BHFQ = torch.bmm(v_NFL, weights_NLQ).view(batch, heads, size + 1, queries)
        mixed_BHEQ, total_BH1Q = mixed_BHFQ[:, :, :-1], mixed_BHFQ[:, :, -1:]
        if itself is not None:
            mixed_BHEQ = torch.addcmul(mixed_BHEQ, weights_BHQL[..., -1:].mT, itself[1].mT)
        self.totals.append(total_BH1Q)
        return (mixed_BHEQ / total_BH1Q).mT

    def sound(self) -> bool:
        """Whether all sums were in range so far."""
        low, high = torch.cat([total.flatten() for total in self.totals]).aminmax()
        return self.careful or bool(low > SMALLEST and high < LARGEST)


def window_attention(
    mixing: Mixing, layer: int, cache: KeyValueCache | None, column: int
) -> Attention:
    """Return attention over windows; the cache keeps keys and values.

    Args:
        mixing: Of the window's columns.
        layer: The layer.
        cache: What to write to, or None.
        column: Where the first item of the windows stands there.
    """

    def attend(q_BHQE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
        k_BHEL = k_BHLE.mT.contiguous()
        v_BHFL = F.pad(v_BHLE.mT, (0, 0, 0, 1), value=1.0)
        if cache is not None:
            cache.write(layer, column, k_BHEL, v_BHFL)
        return mixing(q_BHQE, k_BHEL, v_BHFL)

    return attend


def advancing_attention(mixing: Mixing, layer: int, cache: KeyValueCache, column: int) -> Attention:
    """Return attention of one new position, whose key and value are kept in a column."""
    keys_BHEL, values_BHFL = cache.keys_XBHEL[layer], cache.values_XBHFL[layer]
    seen = slice(cache.first, column + 1)

    def attend(q_BH1E: Tensor, k_BH1E: Tensor, v_BH1E: Tensor) -> Tensor:
        keys_BHEL[..., column] = k_BH1E[:, :, 0]
        values_BHFL[..., :-1, column] = v_BH1E[:, :, 0]
        return mixing(q_BH1E, keys_BHEL[..., seen], values_BHFL[..., seen])

    return attend


def peeking_attention(mixing: Mixing, layer: int, cache: KeyValueCache, column: int) -> Attention:
    """Return attention of candidates: each sees what was read, and itself.

    Args:
        mixing: Of the columns up to the next one.
        layer: The layer.
        cache: Keys and values of what was read.
        column: The next one, which is free.  There each candidate stands by itself.
    """
    keys_BHEL, values_BHFL = cache.keys_XBHEL[layer], cache.values_XBHFL[layer]
    seen = slice(cache.first, column + 1)
    values_BHFL[..., :-1, column] = 0.0

    def attend(q_BHKE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor) -> Tensor:
        itself = k_BHKE, v_BHKE
        return mixing(q_BHKE, keys_BHEL[..., seen], values_BHFL[..., seen], itself)

    return attend
