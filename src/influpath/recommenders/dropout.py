"""Dropout whose mask costs two random bytes per feature."""

import numpy as np
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

    def mask(self, x: Tensor) -> Tensor | None:
        """Return what to multiply features by: 0 for those dropped; None to leave all alone."""
        dropped = min(round(self.p * LEVELS), LEVELS)
        if not self.training or not dropped:
            return None
        if dropped == LEVELS:
            return torch.zeros_like(x)
        if x.device.type != "cpu":
            return nn.functional.dropout(torch.ones_like(x), self.p)
        levels = random_words(-(-x.numel() // 4)).view(np.uint16)[: x.numel()]
        # NumPy compares and converts small integers several times as fast as PyTorch.
        kept = (levels >= dropped).view(np.uint8).astype(np.float32)
        kept *= LEVELS / (LEVELS - dropped)
        return torch.from_numpy(kept).view(x.shape).to(x.dtype)
