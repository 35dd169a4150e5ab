"""What a pattern of attention means, written out."""

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.native.operators import Pattern


def added_by(pattern: Pattern, length: int) -> Tensor:
    """Return what a pattern adds to logits, minus infinity where nothing is seen.

    It is [B, L, L], or [1, L, L] where the pattern is the same for all rows.
    """
    seen_BLL = torch.ones(1, length, length, dtype=torch.bool)
    added_BLL = torch.zeros(1, length, length)
    if pattern.causal:
        seen_BLL = seen_BLL.tril()
    if pattern.first_B is not None:
        seen_BLL = seen_BLL & (torch.arange(length) >= pattern.first_B[:, None, None])
    if pattern.last_BL is not None:
        seen_BLL[:, :, -1], seen_BLL[:, -1, :] = True, False
        # Its own row sees nothing else, so that the weight there changes nothing.
        column_BL = torch.where(torch.arange(length) == length - 1, 0.0, pattern.last_BL)
        added_BLL = F.pad(column_BL[:, :, None], (length - 1, 0))
    seen_BLL = seen_BLL | torch.eye(length, dtype=torch.bool)
    return added_BLL.masked_fill(~seen_BLL, -torch.inf)
