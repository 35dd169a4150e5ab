"""Attention and GELU for training in float32: a few plain products, differentiated by hand.

PyTorch's fused attention is made for wide heads and long sequences.  At the sizes of recommenders
(heads of 5 to 32 features, 50 to 200 items) its backward pass takes several times as long as the
six matrix products that it consists of, so here they are, with as little as possible in between:

- Exponentials are taken without looking for the largest logit first; where one would overflow or a
  whole row vanish, which trained networks are far from, the call is repeated by PyTorch's softmax.
- Values get one more feature, 1, so that the product that mixes them also sums the weights.
- The same feature carries the softmax's correction back, so that no pass over the weights but one
  multiplication is left.

Shape suffixes: B batch, Q queries, L keys, H heads, E width of a head, F features, G = B x H.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

# Weights of attention are kept for the backward pass up to this size; beyond, attention is left to
# PyTorch's kernel, whose memory does not grow with the square of the length.
KEPT_BYTES = 64 << 20
# Weights are computed for so many rows at once that they stay in the processor's cache.
CACHE_BYTES = 1 << 20
# Sums of exponentials within these bounds have lost nothing.
SMALLEST, LARGEST = 1e-30, 1e30
# Factors of x and x^3 in 2u, see ``gelu_product``.
GELU_LINEAR = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715 * GELU_LINEAR


def pays(q_BHQE: Tensor, k_BHLE: Tensor) -> bool:
    """Say whether ``product_attention`` is meant for these: float32, with gradients, not long."""
    cells = q_BHQE[..., 0].numel() * k_BHLE.shape[2]
    return (
        q_BHQE.dtype is torch.float32
        and (q_BHQE.requires_grad or k_BHLE.requires_grad)
        and 0 < 4 * cells <= KEPT_BYTES
    )


def product_attention(
    q_BHQE: Tensor,
    k_BHLE: Tensor,
    v_BHLE: Tensor,
    seen: Tensor | None = None,
    last_BQ: Tensor | None = None,
) -> Tensor:
    """Attend, with gradients: ``F.scaled_dot_product_attention`` up to rounding.

    Args:
        q_BHQE: Queries.
        k_BHLE: Keys.
        v_BHLE: Values.
        seen: float, 1 where a query may look and else 0, broadcast to [B, H, Q, L] with a first
            dimension of 1 or B; every query must see something.  None is everywhere.
        last_BQ: Added to each query's logit of the last position; minus infinity hides it.

    Returns:
        Mixed values [B, H, Q, E].
    """
    if seen is not None:
        seen = seen[(None,) * (4 - seen.dim())]
    apply = cast(Callable[..., Tensor], _ProductAttention.apply)
    return apply(q_BHQE, k_BHLE, v_BHLE, seen, last_BQ)


class _ProductAttention(torch.autograd.Function):
    """The products of attention; the weights are kept, without being divided by their sums."""

    @staticmethod
    def forward(
        ctx: Any,
        q_BHQE: Tensor,
        k_BHLE: Tensor,
        v_BHLE: Tensor,
        seen: Tensor | None,
        last_BQ: Tensor | None,
    ) -> Tensor:
        batch, heads, queries, width = q_BHQE.shape
        keys = k_BHLE.shape[2]
        q = torch.mul(q_BHQE, width**-0.5, out=q_BHQE.new_empty(q_BHQE.shape))
        k = k_BHLE.contiguous()
        v = v_BHLE.new_empty(batch, heads, keys, width + 1)
        v[..., :width], v[..., width] = v_BHLE, 1.0
        weights = q.new_empty(batch, heads, queries, keys)
        mixed = q.new_empty(batch, heads, queries, width + 1)
        for rows in _chunks(weights):
            part = weights[rows]
            torch.bmm(q[rows].flatten(0, 1), k[rows].flatten(0, 1).mT, out=part.flatten(0, 1))
            if last_BQ is not None:
                part[..., -1] += last_BQ[rows, None]
            part.exp_()
            if seen is not None:
                part *= seen if len(seen) == 1 else seen[rows]
            torch.bmm(part.flatten(0, 1), v[rows].flatten(0, 1), out=mixed[rows].flatten(0, 1))
        smallest, largest = mixed[..., width].aminmax()
        # Written so that NaN (infinity times 0) is out of bounds too.
        if not (smallest >= SMALLEST and largest <= LARGEST):
            weights = _softmax(q, k, seen, last_BQ)
            mixed = weights @ v
        inverse = mixed[..., width:].reciprocal()
        result = mixed[..., :width] * inverse
        ctx.save_for_backward(q, k, v, weights, inverse, result)
        return result

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, inverse, result = ctx.saved_tensors
        batch, heads, queries, width = q.shape
        keys = k.shape[2]
        # d logit = weight (d mixed . value - d mixed . result), all divided by the sum.
        upstream = q.new_empty(batch, heads, queries, width + 1)
        torch.mul(grad_outputs[0], inverse, out=upstream[..., :width])
        torch.sum(upstream[..., :width] * result, -1, out=upstream[..., width]).neg_()
        # In the layout of the packed projection that the three came from.
        packed = q.new_empty(batch, max(queries, keys), 3, heads, width)
        d_q, d_k, d_v = packed.permute(2, 0, 3, 1, 4).unbind()
        d_q, d_k, d_v = d_q[:, :, :queries], d_k[:, :, :keys], d_v[:, :, :keys]
        d_last_BQ = q.new_empty(batch, queries) if ctx.needs_input_grad[4] else None
        size = min(batch, _rows_of(weights))
        logits = q.new_empty(size, heads, queries, keys)
        for rows in _chunks(weights):
            up, part = upstream[rows].flatten(0, 1), weights[rows].flatten(0, 1)
            shape = weights[rows].shape
            d_v[rows] = torch.bmm(part.mT, up)[..., :width].view(*shape[:2], keys, width)
            d_logits = logits[: shape[0]].flatten(0, 1)
            torch.bmm(up, v[rows].flatten(0, 1).mT, out=d_logits)
            d_logits *= part
            d_q[rows] = (
                torch.bmm(d_logits, k[rows].flatten(0, 1)).mul_(width**-0.5).view(q[rows].shape)
            )
            d_k[rows] = torch.bmm(d_logits.mT, q[rows].flatten(0, 1)).view(k[rows].shape)
            if d_last_BQ is not None:
                torch.sum(d_logits.view(shape)[..., -1], 1, out=d_last_BQ[rows])
        return d_q, d_k, d_v, None, d_last_BQ


def _rows_of(weights: Tensor) -> int:
    """Return how many rows of the batch are computed at once."""
    return max(1, CACHE_BYTES // (4 * weights[0].numel()))


def _chunks(weights: Tensor) -> list[slice]:
    """Cut the batch into slices of so many rows."""
    size = _rows_of(weights)
    return [slice(at, at + size) for at in range(0, len(weights), size)]


def _softmax(q: Tensor, k: Tensor, seen: Tensor | None, last_BQ: Tensor | None) -> Tensor:
    """Return the weights whatever the logits."""
    logits = q @ k.mT
    if last_BQ is not None:
        logits[..., -1] += last_BQ[:, None]
    if seen is not None:
        logits.masked_fill_(seen == 0, -torch.inf)
    return torch.softmax(logits, dim=-1)


def gelu_product(x: Tensor) -> Tensor:
    """Return GELU by its tanh approximation, with gradients, in a third of PyTorch's time.

    With u = sqrt(2 / pi) (x + 0.044715 x^3) it is x (1 + tanh(u)) / 2 = x sigmoid(2u).
    """
    return cast(Callable[..., Tensor], _Gelu.apply)(x)


class _Gelu(torch.autograd.Function):
    """x g with g = sigmoid(a x + b x^3); its derivative is g + x g (1 - g) (a + 3 b x^2)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        linear = x.new_tensor(GELU_LINEAR)
        gate = torch.addcmul(linear, x, x, value=GELU_CUBIC).mul_(x).sigmoid_()
        result = gate * x
        ctx.save_for_backward(x, gate, result)
        return result

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        x, gate, result = ctx.saved_tensors
        linear = x.new_tensor(GELU_LINEAR)
        slope = torch.addcmul(linear, x, x, value=3 * GELU_CUBIC)
        slope.addcmul_(slope, gate, value=-1)
        return torch.addcmul(gate, result, slope).mul_(grad_outputs[0])
