"""What attention reads of earlier positions when IRN plans.

Shape suffixes: B rows, X layers, L columns, D width, F features of a kept state (D + 2).  The item
at position p of the window stands in column p + 1, and the objective, if it is shown, before the
first item of any row.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from influpath.irn.config import IRNConfig
from influpath.recommenders.folded import MASK, ONE, OWN
from influpath.recommenders.mixing import UNSEEN

# With a smaller share of its rows than this, a cache moves those that stay.
STAYING = 7 / 8


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
