"""Whether kernels that were compiled on this machine compute what PyTorch does.

A compiler may be wrong; what comes out of it is compared once, on small figures, before it is used.

Shape suffixes: B batch, L positions, D width, H heads, N positions, V items.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.native.block import Step, block
from influpath.native.cross_entropy import cross_entropy
from influpath.native.operators import Pattern

TOLERANCE = 1e-4
# Heads with code of their own and others.
WIDTHS = (5, 6, 8)
EPS = 1e-5


def kernels_agree() -> bool:
    """Say whether a block of every kind of head, the loss, and their gradients are PyTorch's."""
    # It may be asked for first in the midst of planning.
    with torch.inference_mode(mode=False), torch.enable_grad():
        return all(_same(*_blocks(width)) for width in WIDTHS) and _same(*_losses())


def _same(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    scales = [max(1.0, float(each.abs().max())) for each in wanted]
    return all(
        torch.allclose(one / scale, other / scale, rtol=0.0, atol=TOLERANCE)
        for one, other, scale in zip(found, wanted, scales, strict=True)
    )


def _numbers(*shape: int, seed: int) -> Tensor:
    """Return numbers that look random; PyTorch's generator is left to the caller."""
    numbers = (torch.arange(1.0, torch.Size(shape).numel() + 1) * (1.7 + seed)).sin()
    return (0.4 * numbers).view(shape).requires_grad_()


def _blocks(head: int) -> tuple[list[Tensor], list[Tensor]]:
    """Return features and gradients of a block, by the kernels and by PyTorch."""
    heads, length = 2, 19
    width = heads * head
    shapes = [(width,), (width,), (3 * width, width), (3 * width,), (width, width), (width,)]
    shapes += [(width,), (width,), (4 * width, width), (4 * width,), (width, 4 * width), (width,)]
    weights = [_numbers(*shape, seed=place) for place, shape in enumerate(shapes)]
    x_BLD, last_BL = _numbers(2, length, width, seed=20), _numbers(2, length, seed=21)
    upstream_BLD = _numbers(2, length, width, seed=22).detach()
    leaves = [x_BLD, last_BL, *weights]
    outs = (
        block(x_BLD, weights, Step(heads, EPS, Pattern(causal=True, last_BL=last_BL))),
        _plain(x_BLD, last_BL, weights, heads),
    )
    results = [[out.detach(), *torch.autograd.grad(out, leaves, upstream_BLD)] for out in outs]
    return results[0], results[1]


def _plain(x_BLD: Tensor, last_BL: Tensor, weights: list[Tensor], heads: int) -> Tensor:
    batch, length, width = x_BLD.shape
    seen_LL = torch.ones(length, length, dtype=torch.bool).tril()
    seen_LL[:-1, -1], seen_LL[-1, :-1] = True, False
    own_BL = torch.where(torch.arange(length) == length - 1, 0.0, last_BL)
    added_BLL = F.pad(own_BL[:, :, None], (length - 1, 0)).masked_fill(~seen_LL, -torch.inf)
    normed_BLD = F.layer_norm(x_BLD, (width,), weights[0], weights[1], EPS)
    packed_BLX = F.linear(normed_BLD, *weights[2:4])
    q, k, v = packed_BLX.view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
    mixed_BHLE = F.scaled_dot_product_attention(q, k, v, attn_mask=added_BLL[:, None])
    x_BLD = x_BLD + F.linear(mixed_BHLE.transpose(1, 2).flatten(2), *weights[4:6])
    normed_BLD = F.layer_norm(x_BLD, (width,), weights[6], weights[7], EPS)
    fed_BLF = F.linear(normed_BLD, *weights[8:10])
    return x_BLD + F.linear(F.gelu(fed_BLF, approximate="tanh"), *weights[10:])


def _losses() -> tuple[list[Tensor], list[Tensor]]:
    """Return loss and gradients, by the kernel and by PyTorch."""
    hidden_ND, weight_VD = _numbers(50, 13, seed=30), _numbers(67, 13, seed=31)
    bias_V, target_N = _numbers(67, seed=32), torch.arange(50) * 7 % 67
    found = cross_entropy(hidden_ND.detach(), weight_VD.detach(), target_N, bias_V.detach())
    loss = F.cross_entropy(hidden_ND @ weight_VD.T + bias_V, target_N, reduction="sum")
    gradients = torch.autograd.grad(loss, [hidden_ND, weight_VD, bias_V])
    return [each for each in found if each is not None], [loss.detach(), *gradients]
