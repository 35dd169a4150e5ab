"""A transformer block of training as one differentiable function of the kernels.

Windows are computed one after the other from end to end, so that what is between two steps is found
in the cache, and threads that train side by side do not wait for each other's Python.

Shape suffixes: B batch, L positions, D width, F inner width.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from influpath.native.operators import Pattern, address, usable_kernels

Levels = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Step:
    """What a block does besides its weights.

    Attributes:
        heads: Number of heads.
        eps: Added to variances.
        pattern: Who sees whom.
        levels: A random level for each feature that attention, then the feed-forward layer, adds;
            None for no dropout.
        dropped: Features whose level is below it are left out.
        scale: What the others are multiplied by.
    """

    heads: int
    eps: float
    pattern: Pattern
    levels: tuple[Levels, Levels] | None = None
    dropped: int = 0
    scale: float = 1.0


def block(x_BLD: Tensor, weights: Sequence[Tensor], step: Step) -> Tensor:
    """Return what a block makes of features, [B, L, D].

    Args:
        x_BLD: Features.
        weights: Weight and bias, one after the other, of the normalisation before attention, of
            queries, keys and values, of attention's output, of the normalisation before the
            feed-forward layer, and of its two maps, as ``nn.LayerNorm`` and ``nn.Linear`` have
            them.
        step: The rest.
    """
    apply = cast(Callable[..., Tensor], _Block.apply)
    return apply(x_BLD, step.pattern.last_BL, step, *weights)


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_BLD: Tensor, last_BL: Tensor | None, step: Step, *weights: Tensor
    ) -> Tensor:
        x_BLD, weights = x_BLD.contiguous(), tuple(each.contiguous() for each in weights)
        last_BL = None if last_BL is None else last_BL.contiguous()
        library = usable_kernels()
        batch, length, width = x_BLD.shape
        size = library.block_kept(batch, length, step.heads, width, len(weights[8]))
        kept, out_BLD = x_BLD.new_empty(size), torch.empty_like(x_BLD)
        given = *_given(x_BLD, last_BL, weights[8], step), address(x_BLD), _pointers(weights)
        _check(library.block_forward(*given, address(kept), address(out_BLD)))
        ctx.save_for_backward(x_BLD, last_BL, kept, *weights)
        ctx.step = step
        return out_BLD

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x_BLD, last_BL, kept, *weights = ctx.saved_tensors
        upstream_BLD, d_x_BLD = grad_outputs[0].contiguous(), torch.empty_like(x_BLD)
        gradients = [torch.zeros_like(each) for each in weights]
        d_last_BL = torch.empty_like(last_BL) if ctx.needs_input_grad[1] else None
        given = *_given(x_BLD, last_BL, weights[8], ctx.step), address(x_BLD), _pointers(weights)
        found = address(d_x_BLD), _pointers(gradients), address(d_last_BL)
        _check(
            usable_kernels().block_backward(*given, address(kept), address(upstream_BLD), *found)
        )
        return d_x_BLD, d_last_BL, None, *gradients


def _given(
    x_BLD: Tensor, last_BL: Tensor | None, feed_in_FD: Tensor, step: Step
) -> tuple[Any, ...]:
    """Return the first arguments of both kernels."""
    batch, length, width = x_BLD.shape
    sizes = batch, length, step.heads, width, len(feed_in_FD), step.dropped, step.pattern.causal
    levels = [None, None] if step.levels is None else [each.ctypes.data for each in step.levels]
    places = address(step.pattern.first_B), address(last_BL)
    return (ctypes.c_int64 * 7)(*sizes), step.eps, step.scale, *levels, *places


def _pointers(tensors: Sequence[Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*map(address, tensors))


def _check(failed: int) -> None:
    if failed:
        raise MemoryError("no memory for a transformer block")
