"""Self-attention of the kernels as a differentiable function, and whether kernels can be used.

Shape suffixes: B batch, L positions, H heads, E width of a head, D = H x E, X = 3 x D.
"""

import ctypes
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from influpath.native.library import kernels

# Of a head, as in ``attention.c``.
WIDEST = 128

logger = logging.getLogger("influpath.native")


@dataclass(frozen=True)
class Pattern:
    """Which positions see which.

    Attributes:
        causal: Every position sees itself and those before it; else it sees all.
        first_B: The first real position of each row, int64; those before are pads, which nobody
            sees but they themselves.  None for no pads.
        last_BL: If given, what is added to each position's logit of the last one, which then
            every position sees (minus infinity hides it); the last one sees itself alone.  Only
            where ``causal``.
    """

    causal: bool
    first_B: Tensor | None = None
    last_BL: Tensor | None = None

    def __post_init__(self) -> None:
        if self.first_B is not None:
            # As the kernel reads it.
            object.__setattr__(self, "first_B", self.first_B.long().contiguous())
        if self.last_BL is not None and not self.causal:
            raise ValueError("only a causal pattern shows the last position apart")


@cache
def usable() -> ctypes.CDLL | None:
    """Return the kernels if they are there and compute what PyTorch does."""
    library = kernels()
    if library is None:
        return None
    # What compares them uses them, as this module lets it.
    from influpath.native.agreement import kernels_agree

    if kernels_agree():
        return library
    logger.warning("the compiled kernels do not compute what PyTorch does, and are not used")
    return None


def fits(x_BLD: Tensor, heads: int) -> bool:
    """Say whether kernels are for it: in training, in bfloat16 ``attend`` after a conversion.

    Where no gradients are wanted bits should not depend on which pattern the kernel knows.

    Args:
        x_BLD: What queries, keys and values are made of.
        heads: H.
    """
    if x_BLD.shape[2] > heads * WIDEST or not x_BLD.requires_grad:
        return False
    return takes(x_BLD.float() if x_BLD.dtype is torch.bfloat16 else x_BLD)


def takes(x: Tensor) -> bool:
    """Say whether the kernels are meant for a tensor: float32 on the processor."""
    return x.dtype is torch.float32 and x.device.type == "cpu" and usable() is not None


def attend(packed_BLX: Tensor, bias_X: Tensor, heads: int, pattern: Pattern) -> Tensor:
    """Return self-attention [B, L, D]: ``scaled_dot_product_attention`` up to rounding.

    Args:
        packed_BLX: Queries, keys and values of all heads, one after the other.
        bias_X: What is to be added to them.
        heads: H.
        pattern: Who sees whom.
    """
    apply = cast(Callable[..., Tensor], _Attention.apply)
    return apply(packed_BLX, bias_X, pattern.last_BL, heads, pattern)


def address(tensor: Tensor | None) -> int | None:
    """Return where a tensor's numbers begin; None for none."""
    return None if tensor is None else tensor.data_ptr()


def _sizes(
    packed_BLX: Tensor, bias_X: Tensor, heads: int, pattern: Pattern
) -> tuple[int | None, ...]:
    batch, length, width = packed_BLX.shape
    where = batch, length, heads, width // (3 * heads), address(packed_BLX), address(bias_X)
    return *where, int(pattern.causal), address(pattern.first_B), address(pattern.last_BL)


def _attend(
    library: ctypes.CDLL, packed_BLX: Tensor, bias_X: Tensor, heads: int, pattern: Pattern
) -> tuple[Tensor, Tensor]:
    """Return the mixed values [B, L, D], and the softmax's peak and factor [B, H, L, 2]."""
    batch, length, width = packed_BLX.shape
    out_BLD = packed_BLX.new_empty(batch, length, width // 3)
    norms = packed_BLX.new_empty(batch, heads, length, 2)
    sizes = _sizes(packed_BLX, bias_X, heads, pattern)
    if library.attention_forward(*sizes, address(out_BLD), address(norms)):
        raise MemoryError("no memory for attention")
    return out_BLD, norms


class _Attention(torch.autograd.Function):
    """Weights are computed again in the backward pass, so memory grows with the length alone."""

    @staticmethod
    def forward(
        ctx: Any,
        packed_BLX: Tensor,
        bias_X: Tensor,
        last_BL: Tensor | None,
        heads: int,
        pattern: Pattern,
    ) -> Tensor:
        packed_BLX, bias_X = packed_BLX.contiguous(), bias_X.contiguous()
        last_BL = None if last_BL is None else last_BL.contiguous()
        # What was given may be a view; the kernel reads it as it lies.
        pattern = Pattern(pattern.causal, pattern.first_B, last_BL)
        out_BLD, norms = _attend(usable_kernels(), packed_BLX, bias_X, heads, pattern)
        ctx.save_for_backward(packed_BLX, bias_X, last_BL, pattern.first_B, out_BLD, norms)
        ctx.heads, ctx.causal = heads, pattern.causal
        return out_BLD

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        packed_BLX, bias_X, last_BL, first_B, out_BLD, norms = ctx.saved_tensors
        pattern = Pattern(ctx.causal, first_B, last_BL)
        upstream_BLD = grad_outputs[0].contiguous()
        d_packed_BLX = torch.empty_like(packed_BLX)
        d_last_BL = torch.empty_like(last_BL) if ctx.needs_input_grad[2] else None
        sizes = _sizes(packed_BLX, bias_X, ctx.heads, pattern)
        given = address(out_BLD), address(norms), address(upstream_BLD)
        results = address(d_packed_BLX), address(d_last_BL)
        if usable_kernels().attention_backward(*sizes, *given, *results):
            raise MemoryError("no memory for the gradient of attention")
        return d_packed_BLX, d_packed_BLX.flatten(0, 1).sum(0), d_last_BL, None, None


def usable_kernels() -> ctypes.CDLL:
    """Return the kernels where ``usable`` has been asked before, or is being answered."""
    library = kernels()
    assert library is not None
    return library
