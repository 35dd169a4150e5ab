"""What a layer does to features one by one, by the kernels and differentiable.

Biases are added in passing: to add one in the product before it takes as long as to copy what the
product is.

Shape suffixes: D width.  The other dimensions of features may be any.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from influpath.native.operators import address, usable_kernels


def layer_norm(x: Tensor, weight_D: Tensor, bias_D: Tensor, eps: float) -> Tensor:
    """Return features normalised along the last dimension, times a weight, plus a bias."""
    return cast(Callable[..., Tensor], _LayerNorm.apply)(x, weight_D, bias_D, eps)


def gelu(x: Tensor, bias_D: Tensor | None = None) -> Tensor:
    """Return GELU, by its tanh approximation, of features plus a bias."""
    return cast(Callable[..., Tensor], _Gelu.apply)(x, bias_D)


def add(x: Tensor, features: Tensor, bias_D: Tensor, mask: Tensor | None) -> Tensor:
    """Return x plus features with their bias.

    Args:
        x: Any shape.
        features: The same shape.
        bias_D: Their bias.
        mask: What the sum of features and bias is multiplied by, if given.
    """
    return cast(Callable[..., Tensor], _Add.apply)(x, features, bias_D, mask)


def _rows(x: Tensor) -> tuple[int, int]:
    width = x.shape[-1]
    return x.numel() // max(width, 1), width


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_D: Tensor, bias_D: Tensor, eps: float) -> Tensor:
        x, result = x.contiguous(), torch.empty_like(x, memory_format=torch.contiguous_format)
        rows, width = _rows(x)
        stats = x.new_empty(rows, 2)
        usable_kernels().normalise(
            *(rows, width, eps, address(x), address(weight_D), address(bias_D)),
            *(address(result), width, address(stats)),
        )
        ctx.save_for_backward(x, weight_D, stats)
        return result

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, weight_D, stats = ctx.saved_tensors
        upstream, d_x = grad_outputs[0].contiguous(), torch.empty_like(x)
        d_weight_D, d_bias_D = torch.zeros_like(weight_D), torch.zeros_like(weight_D)
        given = address(x), address(weight_D), address(stats), address(upstream)
        found = address(d_x), address(d_weight_D), address(d_bias_D)
        usable_kernels().normalise_backward(*_rows(x), *given, *found)
        return d_x, d_weight_D, d_bias_D, None


class _Gelu(torch.autograd.Function):
    """The gate is computed again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias_D: Tensor | None) -> Tensor:
        x = x.contiguous()
        result = torch.empty_like(x)
        given = address(x), address(bias_D)
        usable_kernels().gelu_forward(*_rows(x), *given, address(result))
        ctx.save_for_backward(x, bias_D)
        return result

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, bias_D = ctx.saved_tensors
        upstream, d_x = grad_outputs[0].contiguous(), torch.empty_like(x)
        d_bias_D = None if bias_D is None else torch.zeros_like(bias_D)
        given = address(x), address(bias_D), address(upstream)
        usable_kernels().gelu_backward(*_rows(x), *given, address(d_x), address(d_bias_D))
        return d_x, d_bias_D


class _Add(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, features: Tensor, bias_D: Tensor, mask: Tensor | None
    ) -> Tensor:
        x, features = x.contiguous(), features.contiguous()
        result = torch.empty_like(x)
        given = address(x), address(features), address(bias_D), address(mask)
        usable_kernels().add_forward(*_rows(x), *given, address(result))
        ctx.save_for_backward(bias_D, mask)
        return result

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        bias_D, mask = ctx.saved_tensors
        upstream = grad_outputs[0].contiguous()
        if mask is None:
            return upstream, upstream, upstream.flatten(0, -2).sum(0), None
        d_features, d_bias_D = torch.empty_like(upstream), torch.zeros_like(bias_D)
        given = address(mask), address(upstream)
        found = address(d_features), address(d_bias_D)
        usable_kernels().add_backward(*_rows(upstream), *given, *found)
        return upstream, d_features, d_bias_D, None
