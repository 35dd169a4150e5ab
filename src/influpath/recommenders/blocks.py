"""Transformer parts shared by SASRec, BERT4Rec and IRN.

Shape suffixes: B batch, Q queries, L positions, D width, H heads, E width of a head,
F features, N rows, C rows of one chunk, I catalogue items.
"""

from collections.abc import Callable, Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from influpath.native import operators as native
from influpath.native import reading
from influpath.native.block import Step, block
from influpath.native.operators import Pattern
from influpath.recommenders.dropout import Dropout
from influpath.recommenders.products import (
    GELU_CUBIC,
    GELU_LINEAR,
    gelu_product,
    pays,
    product_attention,
)

CHUNK_BYTES = 1 << 20
GELU_FACTOR = torch.tensor(GELU_LINEAR)

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


class PatternAttention:
    """Attention that the compiled kernel of training knows as well.

    Args:
        attend: Attention of any queries, in any precision.
        pattern: Gives what it is within a whole window; None where the kernel does not know it.
    """

    def __init__(self, attend: Attention, pattern: Callable[[], Pattern | None]) -> None:
        self.attend, self.pattern = attend, cache(pattern)

    def __call__(self, q_BHQE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
        """Attend, as any ``Attention``."""
        return self.attend(q_BHQE, k_BHLE, v_BHLE)

    def whole(self, x_BLD: Tensor, linear: nn.Linear, heads: int) -> Tensor | None:
        """Return self-attention over whole windows, [B, L, D], by the kernel if it can.

        Args:
            x_BLD: Features.
            linear: Makes queries, keys and values of them.
            heads: H.
        """
        if not native.fits(x_BLD, heads) or (pattern := self.pattern()) is None:
            return None
        packed_BLX = x_BLD @ linear.weight.T
        # In bfloat16 too the kernel computes in float32, where it takes less than the conversions.
        mixed_BLD = native.attend(packed_BLX.float(), linear.bias.float(), heads, pattern)
        return mixed_BLD.to(packed_BLX.dtype)


class TransformerBlock(nn.Module):
    """Self-attention and a feed-forward layer, each normalised before and added after.

    Pre-normalisation (not in the original papers) trains stably without tuning.  Dropout acts on
    what is added, not on attention weights, so that the fused attention kernel can be used.

    Args:
        width: D.
        heads: H, a divisor of D.
        dropout: Share of the added features that is dropped.
        inner: Width of the feed-forward layer as a multiple of D.
    """

    def __init__(self, width: int, heads: int, dropout: float, inner: int = 4) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide {width} features")
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.norm_feed = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.feed_in = nn.Linear(width, inner * width)
        self.feed_out = nn.Linear(inner * width, width)
        self.dropout = Dropout(dropout)

    def forward(
        self, x_BLD: Tensor, attention: Attention, at: int | Tensor | None = None
    ) -> Tensor:
        """Apply the block.

        Args:
            x_BLD: Input.
            attention: Maps queries [B, H, Q, E], keys and values [B, H, L, E] to outputs
                [B, H, Q, E].
            at: If given, the only positions whose output is wanted (in the last layer of a
                prediction): one for all rows, or some of each, [B, Q].  The output is [B, Q, D],
                and most of the work is saved.
        """
        if at is None and (step := self.step(x_BLD, attention)) is not None:
            return block(x_BLD, self.weights(), step)
        # Functions rather than modules, whose calls take as long as reading a few positions.
        normed_BLD = normed(x_BLD, self.norm_attention)
        weight, bias = self.query_key_value.weight, self.query_key_value.bias
        mixed_BQD = None
        if at is None and isinstance(attention, PatternAttention):
            mixed_BQD = attention.whole(normed_BLD, self.query_key_value, self.heads)
        if at is None and mixed_BQD is None:
            packed_BLX = F.linear(normed_BLD, weight, bias)
            q_BHQE, k_BHLE, v_BHLE = self.in_heads(packed_BLX, 3)
        elif at is not None:
            x_BLD, wanted_BQD = pick(x_BLD, at), pick(normed_BLD, at)
            width = x_BLD.shape[2]
            (q_BHQE,) = self.in_heads(F.linear(wanted_BQD, weight[:width], bias[:width]), 1)
            k_BHLE, v_BHLE = self.in_heads(F.linear(normed_BLD, weight[width:], bias[width:]), 2)
        if mixed_BQD is None:
            mixed_BHQE = attention(q_BHQE, k_BHLE, v_BHLE)
            mixed_BQD = mixed_BHQE.transpose(1, 2).reshape(x_BLD.shape)
        x_BLD = self.plus(x_BLD, mixed_BQD, self.output)
        normed_BQD = normed(x_BLD, self.norm_feed)
        fed = gelu(F.linear(normed_BQD, self.feed_in.weight, self.feed_in.bias))
        return self.plus(x_BLD, fed, self.feed_out)

    def step(self, x_BLD: Tensor, attention: Attention) -> Step | None:
        """Return what the kernel of a whole block has to know; None where it is not meant for it.

        Args:
            x_BLD: Input.
            attention: See ``forward``.
        """
        if not isinstance(attention, PatternAttention) or torch.is_autocast_enabled("cpu"):
            return None
        norms = self.norm_attention, self.norm_feed
        single = all(x.dtype is torch.float32 for x in (x_BLD, self.feed_in.weight))
        fits = native.fits(x_BLD, self.heads) and single and norms[0].eps == norms[1].eps
        if not fits or (pattern := attention.pattern()) is None:
            return None
        drawn = [self.dropout.levels(x_BLD.numel()) for _ in range(2)]
        levels = None if drawn[0] is None or drawn[1] is None else (drawn[0], drawn[1])
        dropped, scale = self.dropout.dropped, self.dropout.scale
        return Step(self.heads, norms[0].eps, pattern, levels, dropped, scale)

    def weights(self) -> list[Tensor]:
        """Return weights and biases in the order of what they do."""
        attention = self.norm_attention, self.query_key_value, self.output
        feed = self.norm_feed, self.feed_in, self.feed_out
        return [each for part in (*attention, *feed) for each in (part.weight, part.bias)]

    def in_heads(self, packed: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Return the parts of packed features [B, L, parts x D], each [B, H, L, E]."""
        batch, length, width = packed.shape
        size = width // (parts * self.heads)
        return packed.view(batch, length, parts, self.heads, size).permute(2, 0, 3, 1, 4).unbind()

    def plus(self, x_BLD: Tensor, features: Tensor, linear: nn.Linear) -> Tensor:
        """Return the input plus a linear map of features, under dropout in training."""
        if self.training or torch.is_grad_enabled():
            return self.dropout.add(x_BLD, linear(features))
        # In one go with the product, without a tensor of its own.
        x_ND, features_NF = x_BLD.flatten(0, -2), features.flatten(0, -2)
        return torch.addmm(x_ND, features_NF, linear.weight.T).add_(linear.bias).view(x_BLD.shape)


def normed(x_BLD: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Return features normalised by a layer's parameters."""
    return torch.layer_norm(x_BLD, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def pick(states: Tensor, at: int | Tensor) -> Tensor:
    """Return the states [..., Q, D] at positions [..., Q], or at one, of states [..., L, D]."""
    if isinstance(at, int):
        return states.narrow(-2, at, 1)
    return states.gather(-2, at[..., None].expand(*at.shape, states.shape[-1]))


def gelu(x: Tensor) -> Tensor:
    """Return GELU by its tanh approximation.

    With u = sqrt(2 / pi) (x + 0.044715 x^3) it is x (1 + tanh(u)) / 2 = x sigmoid(2u).  Where no
    gradient is wanted it is computed as the latter, which takes half the time.
    """
    if reading.reads(x) and reading.gelu_(copied := x.clone()):
        return copied
    if x.requires_grad:
        return F.gelu(x, approximate="tanh") if x.dtype is torch.bfloat16 else gelu_product(x)
    gate = torch.addcmul(GELU_FACTOR.to(x.device), x, x, value=GELU_CUBIC).mul_(x)
    return gate.sigmoid_().mul_(x)


def _causal(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
    """Attend to the own and earlier positions."""
    if q_BHLE.dtype is torch.bfloat16:
        length = q_BHLE.shape[2]
        visible_LL = torch.ones(length, length, dtype=torch.bool, device=q_BHLE.device).tril()
        return plain_attention(q_BHLE, k_BHLE, v_BHLE, visible_LL)
    if pays(q_BHLE, k_BHLE):
        length = q_BHLE.shape[2]
        return product_attention(q_BHLE, k_BHLE, v_BHLE, q_BHLE.new_ones(length, length).tril())
    mixed: Tensor = F.scaled_dot_product_attention(q_BHLE, k_BHLE, v_BHLE, is_causal=True)
    return mixed


causal_attention = PatternAttention(_causal, lambda: Pattern(causal=True))


def full_attention(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
    """Attend to every position: without a mask that is a quarter faster."""
    mixed: Tensor = F.scaled_dot_product_attention(q_BHLE, k_BHLE, v_BHLE)
    return mixed


def masked_attention(visible: Tensor) -> Attention:
    """Return attention to the positions where ``visible`` (broadcast to [B, H, Q, L]) is true."""

    def attend(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
        if q_BHLE.dtype is torch.bfloat16:
            return plain_attention(q_BHLE, k_BHLE, v_BHLE, visible)
        if pays(q_BHLE, k_BHLE):
            return product_attention(q_BHLE, k_BHLE, v_BHLE, visible.float())
        mixed: Tensor = F.scaled_dot_product_attention(q_BHLE, k_BHLE, v_BHLE, attn_mask=visible)
        return mixed

    return attend


def plain_attention(
    q_BHQE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor, visible: Tensor, last_BQ: Tensor | None = None
) -> Tensor:
    """Attend in bfloat16, in training: as plain products, since PyTorch's fused kernel is not.

    On processors without matrix units the backward pass of that kernel takes four times as long in
    bfloat16 as in float32.

    Args:
        q_BHQE: Queries.
        k_BHLE: Keys.
        v_BHLE: Values.
        visible: bool, broadcast to [B, H, Q, L].
        last_BQ: Added to each query's logit of the last position.
    """
    logits_BHQL = (q_BHQE * q_BHQE.shape[-1] ** -0.5) @ k_BHLE.transpose(2, 3)
    barred = logits_BHQL.new_zeros(visible.shape).masked_fill_(~visible, -torch.inf)
    logits_BHQL = logits_BHQL.add_(barred)
    if last_BQ is not None:
        logits_BHQL[..., -1] += last_BQ[:, None]
    mixed: Tensor = torch.softmax(logits_BHQL, dim=-1) @ v_BHLE
    return mixed


def evaluating(module: nn.Module) -> None:
    """Put a network that is as a whole in training out of it.

    ``eval`` goes through all its parts, which takes as long as reading a short history.
    """
    if module.training:
        module.eval()


def initialise(module: nn.Module) -> None:
    """Initialise as BERT does: small normal weights, zero biases."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.02)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)


def log_softmax(logits: Tensor) -> Tensor:
    """Return the log-softmax over the last axis in float32."""
    return torch.log_softmax(logits.float(), dim=-1)


def log_softmax_of(hidden_ND: Tensor, weight_ID: Tensor, bias_I: Tensor | None) -> Tensor:
    """Return the log-softmax over the catalogue of each row, float32 [N, I]; for inference.

    Logits are made in chunks that stay in the processor's cache, and only the result is stored.

    Args:
        hidden_ND: Rows.
        weight_ID: Output projection.
        bias_I: Its bias, or None.
    """
    result_NI = torch.empty(len(hidden_ND), len(weight_ID))
    for rows in output_chunks(len(hidden_ND), len(weight_ID)):
        part_CI = result_NI[rows]
        if bias_I is None:
            torch.mm(hidden_ND[rows], weight_ID.T, out=part_CI)
        else:
            torch.addmm(bias_I, hidden_ND[rows], weight_ID.T, out=part_CI)
        torch.log_softmax(part_CI, dim=-1, out=part_CI)
    return result_NI


def output_chunks(rows: int, items: int) -> Iterator[slice]:
    """Cut rows so that their logits fit the processor's cache; 16 at least, to be a product."""
    size = max(16, CHUNK_BYTES // (4 * items))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))
