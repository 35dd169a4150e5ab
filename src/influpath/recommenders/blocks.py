"""Transformer parts shared by SASRec, BERT4Rec and IRN.

Shape suffixes: B batch, Q queries, L positions, D width, H heads, E width of a head,
N rows, C rows of one chunk, I catalogue items.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHUNK_BYTES = 2 << 20
LEVELS = 256

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


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
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.norm_feed = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.feed_in = nn.Linear(width, inner * width)
        self.feed_out = nn.Linear(inner * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, attention: Attention, at: int | None = None) -> Tensor:
        """Apply the block.

        Args:
            x_BLD: Input.
            attention: Maps queries [B, H, Q, E], keys and values [B, H, L, E] to outputs
                [B, H, Q, E].
            at: If given, the only position whose output is wanted (in the last layer of a
                prediction): the output is [B, 1, D], and most of the work is saved.
        """
        batch, length, width = x_BLD.shape
        packed = self.query_key_value(self.norm_attention(x_BLD))
        q_BHQE, k_BHLE, v_BHLE = packed.view(
            batch, length, 3, self.heads, width // self.heads
        ).permute(2, 0, 3, 1, 4)
        if at is not None:
            q_BHQE, x_BLD = q_BHQE[:, :, at : at + 1], x_BLD[:, at : at + 1]
        mixed_BHQE = attention(q_BHQE, k_BHLE, v_BHLE)
        mixed_BQD = mixed_BHQE.transpose(1, 2).reshape(batch, mixed_BHQE.shape[2], width)
        x_BLD = x_BLD + self.dropout(self.output(mixed_BQD))
        fed_BLD = self.feed_out(F.gelu(self.feed_in(self.norm_feed(x_BLD)), approximate="tanh"))
        mixed_and_fed_BLD: Tensor = x_BLD + self.dropout(fed_BLD)
        return mixed_and_fed_BLD


class Dropout(nn.Dropout):
    """Dropout whose mask costs a byte of randomness per feature under bfloat16 autocast.

    There the share is rounded to a multiple of 1/256.  PyTorch's own mask, used in float32, takes
    ten times as long, as much as a matrix product.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop features in training; scale the others up."""
        dropped = round(self.p * LEVELS)
        if not (self.training and torch.is_autocast_enabled(x.device.type)) or self.inplace:
            return super().forward(x)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        # From the lowest number on and without an upper bound: all 64 bits are random.
        level = words.random_(torch.iinfo(torch.int64).min, None).view(torch.uint8)
        kept = (level[: x.numel()].view(x.shape) >= dropped).to(x.dtype)
        return x * kept.mul_(LEVELS / (LEVELS - dropped))


def causal_attention(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
    """Attend to the own and earlier positions."""
    if q_BHLE.dtype is torch.bfloat16:
        length = q_BHLE.shape[2]
        visible_LL = torch.ones(length, length, dtype=torch.bool, device=q_BHLE.device).tril()
        return plain_attention(q_BHLE, k_BHLE, v_BHLE, visible_LL)
    mixed: Tensor = F.scaled_dot_product_attention(q_BHLE, k_BHLE, v_BHLE, is_causal=True)
    return mixed


def masked_attention(visible: Tensor) -> Attention:
    """Return attention to the positions where ``visible`` (broadcast to [B, H, Q, L]) is true."""

    def attend(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
        if q_BHLE.dtype is torch.bfloat16:
            return plain_attention(q_BHLE, k_BHLE, v_BHLE, visible)
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


def log_softmax_at(
    hidden_ND: Tensor, weight_ID: Tensor, bias_I: Tensor | None, column_N: Tensor
) -> Tensor:
    """Return one column of the log-softmax of each row, [N], without storing the others.

    Logits are made and reduced in chunks that stay in the processor's cache.

    Args:
        hidden_ND: Rows.
        weight_ID: Output projection.
        bias_I: Its bias, or None.
        column_N: The column wanted of each row.
    """
    result_N = torch.empty(len(hidden_ND))
    size = max(16, CHUNK_BYTES // (4 * len(weight_ID)))
    for start in range(0, len(hidden_ND), size):
        rows = slice(start, start + size)
        logits_CI = F.linear(hidden_ND[rows], weight_ID, bias_I).float()
        picked_C1 = logits_CI.gather(1, column_N[rows, None])
        peak_C1 = logits_CI.amax(1, keepdim=True)
        total_C1 = logits_CI.sub_(peak_C1).exp_().sum(1, keepdim=True)
        result_N[rows] = (picked_C1 - peak_C1 - total_C1.log())[:, 0]
    return result_N
