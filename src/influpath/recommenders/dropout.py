"""Dropout whose mask costs two random bytes per feature."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from influpath.training.randomness import random_words

# Shares are rounded to a multiple of one over this.
LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """Dropout whose mask costs two random bytes per feature.

    PyTorch's own mask takes ten times as long, as much as a matrix product.  The share is rounded
    to a multiple of 1/65536, and the features that are kept are scaled accordingly.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop features in training; scale the others up."""
        mask = self.mask(x)
        return x if mask is None else x * mask

    def add(self, x: Tensor, features: Tensor) -> Tensor:
        """Return x plus what dropout leaves of the features."""
        mask = self.mask(features)
        if mask is None:
            return x + features
        if x.dtype is not features.dtype:
            return x + features * mask
        return torch.addcmul(x, features, mask)

    @property
    def dropped(self) -> int:
        """Features whose level is below this are dropped."""
        return min(round(self.p * LEVELS), LEVELS)

    @property
    def scale(self) -> float:
        """What features are multiplied by that are kept."""
        return LEVELS / (LEVELS - self.dropped) if self.dropped < LEVELS else 0.0

    def levels(self, count: int) -> npt.NDArray[np.uint16] | None:
        """Return a random level for each of some features; None to leave all alone."""
        if not self.training or not self.dropped:
            return None
        return random_words(-(-count // 4)).view(np.uint16)[:count]

    def mask(self, x: Tensor) -> Tensor | None:
        """Return what to multiply features by: 0 for those dropped; None to leave all alone."""
        if self.training and self.dropped == LEVELS:
            return torch.zeros_like(x)
        if self.training and self.dropped and x.device.type != "cpu":
            return nn.functional.dropout(torch.ones_like(x), self.p)
        levels = self.levels(x.numel())
        if levels is None:
            return None
        # NumPy compares and converts small integers several times as fast as PyTorch.
        kept = (levels >= self.dropped).view(np.uint8).astype(np.float32)
        kept *= self.scale
        return torch.from_numpy(kept).view(x.shape).to(x.dtype)
