"""Softmax cross-entropy over the catalogue and its gradients, by the kernel.

Shape suffixes: N positions, D width, V catalogue items.
"""

import torch
from torch import Tensor

from influpath.native.operators import address, usable_kernels

# What the kernel says of a target that is no item.
NO_ITEM = 2


def cross_entropy(
    hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor, bias_V: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Return the summed loss and its gradients for hidden states, weights and bias.

    Where ``takes`` said that the kernels are meant for it.  The logits of a tile of items are made,
    raised and used while they are in registers or the nearest cache.

    Args:
        hidden_ND: Outputs of the network.
        weight_VD: Output projection.
        target_N: Indices into the V rows, int64.
        bias_V: Output bias, or None.  No logit may be above 60 or below -60.

    Raises:
        IndexError: A target is none of the V rows.
    """
    hidden_ND, weight_VD = hidden_ND.contiguous(), weight_VD.contiguous()
    target_N, bias_V = target_N.long().contiguous(), None if bias_V is None else bias_V.contiguous()
    total_N, own_N = hidden_ND.new_empty(2, len(hidden_ND))
    d_hidden_ND, d_weight_VD = torch.empty_like(hidden_ND), torch.empty_like(weight_VD)
    d_bias_V = None if bias_V is None else torch.empty_like(bias_V)
    sizes = *hidden_ND.shape, len(weight_VD)
    given = address(hidden_ND), address(weight_VD), address(bias_V), address(target_N)
    found = address(total_N), address(own_N), address(d_hidden_ND)
    failed = usable_kernels().cross_entropy(
        *sizes, *given, *found, address(d_weight_VD), address(d_bias_V)
    )
    if failed == NO_ITEM:
        raise IndexError(f"a target is not one of the {len(weight_VD)} items")
    if failed:
        raise MemoryError("no memory for the cross-entropy")
    return (total_N.log() - own_N).sum(), d_hidden_ND, d_weight_VD, d_bias_V
