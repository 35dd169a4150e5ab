"""Totals of the softmax over the catalogue by the kernels, without storing its logits.

Shape suffixes: N rows, F features, I catalogue items, T tiles, W items of a tile.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch.nn.functional as F
from torch import Tensor

from influpath.native.operators import address, usable_kernels
from influpath.native.reading import check, lanes, reads

# No logit may be further from 0: then powers of e have room for their sum over any catalogue.
SAFE_LOGIT = 60.0
# The logit, in powers of two, of what fills up the last tile.
NEVER = -120.0


@dataclass(frozen=True, eq=False)
class Tiles:
    """The output projection as the kernels read it.

    Attributes:
        columns_TFW: Weights, for logits of powers of two.
        largest: The largest norm of an item's weights.
    """

    columns_TFW: Tensor
    largest: float

    @classmethod
    def of(cls, weight_FI: Tensor) -> Self | None:
        """Return a projection laid out for the kernels; None without them.

        Args:
            weight_FI: Weights; the last feature is always 1.
        """
        if not lanes() or not reads(weight_FI):
            return None
        features, items = weight_FI.shape
        wide = 2 * lanes()
        columns_FI = F.pad(weight_FI / math.log(2), (0, -items % wide))
        columns_FI[-1, items:] = NEVER
        columns_TFW = columns_FI.view(features, -1, wide).transpose(0, 1).contiguous()
        return cls(columns_TFW, float(weight_FI.norm(dim=0).amax()))

    def log_totals(self, hidden_NF: Tensor) -> Tensor | None:
        """Return the logarithm of each row's sum of exponentials, [N].

        None where the kernels are not meant for the rows, or logits may be too large.
        """
        if not len(hidden_NF) or not hidden_NF.is_contiguous() or not reads(hidden_NF):
            return None
        # Written so that what is no number is not safe.
        if not float(hidden_NF.norm(dim=1).amax()) * self.largest <= SAFE_LOGIT:
            return None
        total_N = hidden_NF.new_empty(len(hidden_NF))
        sizes = *hidden_NF.shape, len(self.columns_TFW)
        given = address(hidden_NF), address(self.columns_TFW), address(total_N)
        check(usable_kernels().power_sums(*sizes, *given))
        return total_N.log_()
