"""Transformer parts shared by SASRec, BERT4Rec and IRN.

Shape suffixes: B batch, Q queries, L positions, D width, H heads, E width of a head,
N rows, C rows of one chunk, I catalogue items.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHUNK_BYTES = 2 << 20

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
        self.dropout = nn.Dropout(dropout)

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


def causal_attention(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
    """Attend to the own and earlier positions."""
    mixed: Tensor = F.scaled_dot_product_attention(q_BHLE, k_BHLE, v_BHLE, is_causal=True)
    return mixed


def masked_attention(visible: Tensor) -> Attention:
    """Return attention to the positions where ``visible`` (broadcast to [B, H, Q, L]) is true."""

    def attend(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
        mixed: Tensor = F.scaled_dot_product_attention(q_BHLE, k_BHLE, v_BHLE, attn_mask=visible)
        return mixed

    return attend


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
