"""What a pattern of attention means, written out."""

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.native.operators import Pattern


def added_by(pattern: Pattern, batch: int, length: int) -> Tensor:
    """Return what a pattern adds to logits [B, L, L]: minus infinity where nothing is seen."""
    seen_BLL = torch.ones(batch, length, length, dtype=torch.bool)
    added_BLL = torch.zeros(batch, length, length)
    if pattern.causal:
        seen_BLL = seen_BLL.tril()
    if pattern.first_B is not None:
        seen_BLL &= torch.arange(length) >= pattern.first_B[:, None, None]
    if pattern.last_BL is not None:
        seen_BLL[:, :, -1], seen_BLL[:, -1, :] = True, False
        # Its own row sees nothing else, so that the weight there changes nothing.
        column_BL = torch.where(torch.arange(length) == length - 1, 0.0, pattern.last_BL)
        added_BLL = F.pad(column_BL[:, :, None], (length - 1, 0)).expand(batch, length, length)
    seen_BLL |= torch.eye(length, dtype=torch.bool)
    return added_BLL.masked_fill(~seen_BLL, -torch.inf)
