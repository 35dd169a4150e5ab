"""The feed-forward layer by the kernels, where no gradients are wanted.

Shape suffixes: N rows, D width, F inner width, B rows of a batch, H heads, K candidates, S
positions that they share, L positions (S + 1).
"""

from dataclasses import dataclass
from typing import Self

import torch.nn.functional as F
from torch import Tensor

from influpath.native.operators import address, usable_kernels
from influpath.native.reading import check, lanes, reads


@dataclass(frozen=True, eq=False)
class Feed:
    """A layer's weights as the kernels read them: rows go on to the next vector.

    Attributes:
        eps: Of the normalisation before it, which neither multiplies nor adds.
        in_DF: First map.
        in_F: Its bias.
        out_FD: Second map.
        out_D: Its bias.
    """

    eps: float
    in_DF: Tensor
    in_F: Tensor
    out_FD: Tensor
    out_D: Tensor

    @classmethod
    def of(
        cls, eps: float, in_DF: Tensor, in_F: Tensor, out_FD: Tensor, out_D: Tensor
    ) -> Self | None:
        """Return weights laid out for the kernels; None without them."""
        if not lanes() or not reads(in_DF, in_F, out_FD, out_D):
            return None
        whole = (
            F.pad(each, (0, -each.shape[1] % lanes())).contiguous() for each in (in_DF, out_FD)
        )
        return cls(eps, next(whole), in_F.contiguous(), next(whole), out_D.contiguous())

    def add_(self, x_ND: Tensor) -> bool:
        """Add the layer to features in place; False where the kernels are not meant for them."""
        if not x_ND.is_contiguous() or not reads(x_ND):
            return False
        sizes = len(x_ND), len(self.out_D), len(self.in_F)
        check(usable_kernels().feed_forward(*sizes, self.eps, address(x_ND), *self.weights))
        return True

    def add_to_candidates(
        self,
        x_BSD: Tensor,
        mixed_BHSD: Tensor,
        share_BHKS: Tensor,
        value_BHKD: Tensor,
        own_BKD: Tensor,
    ) -> Tensor | None:
        """Return the layer added to features of candidates and what each of them changes.

        Args:
            x_BSD: Features of positions with the mixture of values without the candidate.
            mixed_BHSD: That mixture, of each head.
            share_BHKS: The share of attention that each candidate takes of it.
            value_BHKD: What it then adds.
            own_BKD: The candidates' features.

        Returns:
            Features of the candidate, then of the positions, [B, K, L, D].
        """
        tensors = x_BSD, mixed_BHSD, share_BHKS, value_BHKD, own_BKD
        if not reads(*tensors):
            return None
        given = [each.contiguous() for each in tensors]
        batch, heads, count, positions = share_BHKS.shape
        width = x_BSD.shape[2]
        x_BKLD = x_BSD.new_empty(batch, count, positions + 1, width)
        sizes = batch, heads, count, positions, width, len(self.in_F)
        check(
            usable_kernels().feed_candidates(
                *sizes, self.eps, *map(address, given), *self.weights, address(x_BKLD)
            )
        )
        return x_BKLD

    @property
    def weights(self) -> tuple[int | None, ...]:
        """Where the weights are."""
        return tuple(map(address, (self.in_DF, self.in_F, self.out_FD, self.out_D)))
