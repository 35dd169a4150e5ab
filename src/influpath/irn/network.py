"""The network of IRN: embeddings, decoder layers under the PIM, tied output (paper III-D).

The window has a fixed layout: pre-padded items, then the objective in the last position.  Positions
therefore tell how many slots are left before the objective.

Shape suffixes: B batch, Q query positions, L key positions, D width, H heads, E width of a head,
K items whose output is asked for.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from influpath.irn.config import IRNConfig
from influpath.irn.mask import as_numbers, as_pattern, objective_weight, visible
from influpath.native.operators import Pattern
from influpath.recommenders.blocks import (
    Attention,
    PatternAttention,
    TransformerBlock,
    initialise,
    plain_attention,
)
from influpath.recommenders.dropout import Dropout
from influpath.recommenders.products import pays, product_attention
from influpath.training.catalogue_loss import Output, rows_of


class IRNNetwork(nn.Module):
    """Decoder layers that see earlier items and, weighted by the PIM, the objective.

    Args:
        config: Sizes and switches.
        items: Catalogue size.
        users: Number of known users.
    """

    def __init__(self, config: IRNConfig, items: int, users: int) -> None:
        super().__init__()
        width = config.embedding_size
        self.config = config
        self.item = nn.Embedding(items + 1, width)
        self.position = nn.Embedding(config.l_max, width)
        self.user = nn.Embedding(users, config.user_embedding_size)
        self.impressionability = nn.Linear(config.user_embedding_size, 1, bias=False)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(items))
        self.projection = None if config.tied else nn.Linear(width, items, bias=False)
        initialise(self)
        # r_u = W e(u) starts near 1 for everyone: equal weights, embeddings around their inverse.
        nn.init.constant_(self.impressionability.weight, config.user_embedding_size**-0.5)
        nn.init.normal_(self.user.weight, mean=config.user_embedding_size**-0.5, std=0.02)

    def r_u(self, users_B: Tensor) -> Tensor:
        """Return the impressionability of users (formula 5), [B].

        A user unknown to the model (-1) gets the mean over all users.
        """
        known_B: Tensor = self.impressionability(self.user(users_B.clamp(min=0)))[:, 0]
        unknown_B = users_B < 0
        if not torch.is_grad_enabled() and not unknown_B.any():
            # The mean is over all users.
            return known_B
        mean = self.impressionability(self.user.weight.mean(0))[0]
        return torch.where(unknown_B, mean, known_B)

    def output(self) -> tuple[Tensor, Tensor]:
        """Return the output projection [items, D] (formula 7) and its bias."""
        weight = self.item.weight[1:] if self.projection is None else self.projection.weight
        return weight, self.bias

    def output_of(self, items_K: Tensor) -> Output:
        """Return the rows of ``output`` for item numbers 1..I."""
        if self.projection is None:
            return self.item(items_K), self.bias[items_K - 1]
        return rows_of((self.projection.weight, self.bias), items_K)

    def embed(self, items_BL: Tensor, first: int) -> Tensor:
        """Return item plus position embeddings (formula 1) from position ``first`` on."""
        positions_LD = self.position.weight[first : first + items_BL.shape[1]]
        scaled_BLD = self.item(items_BL) * self.item.embedding_dim**0.5
        embedded: Tensor = self.dropout(scaled_BLD + positions_LD)
        return embedded

    def forward(
        self,
        items_BL: Tensor,
        objective_shown_B: Tensor,
        r_B: Tensor,
        w_t_BL: Tensor,
        at: int | None = None,
    ) -> Tensor:
        """Return hidden states [B, L, D]; position j predicts the item at position j + 1.

        Args:
            items_BL: Pre-padded windows that end at the last position of the layout, with the
                objective there.  L may be below l_max: leading pads can be left away.
            objective_shown_B: False hides the objective.
            r_B: Impressionability r_u of each row.
            w_t_BL: Aggressiveness at each query position.
            at: If given, the only position whose hidden state is wanted: [B, 1, D].
        """
        config = self.config
        weight_BL = objective_weight(config.mask_type, r_B, w_t_BL, config.w_h)
        # The objective's column of its own row is itself: no weight needed there.
        x_BLD = self.embed(items_BL, config.l_max - items_BL.shape[1])
        attention = pim_attention(items_BL, objective_shown_B, weight_BL, config.leak)
        for layer, block in enumerate(self.blocks):
            if at is not None and layer == len(self.blocks) - 1:
                attention = pim_attention(items_BL, objective_shown_B, weight_BL, config.leak, at)
                x_BLD = block(x_BLD, attention, at)
            else:
                x_BLD = block(x_BLD, attention)
        hidden: Tensor = self.norm(x_BLD)
        return hidden


def weighted_attention(
    q_BHQE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor, weight_BQ: Tensor, visible: Tensor
) -> Tensor:
    """Attend to visible positions, the objective (the last key) weighing ``weight_BQ`` more.

    The PIM's weight is folded into queries and keys, so that the fused attention kernel applies
    and the gradient reaches r_u: queries get one more feature, the weight; keys get 1 there for
    the objective and 0 for every other.  Queries are scaled beforehand, so their product is the
    usual logit plus the weight at the objective.

    Args:
        q_BHQE: Queries.
        k_BHLE: Keys.
        v_BHLE: Values.
        weight_BQ: What the mask adds to the objective's logit.
        visible: bool, broadcast to [B, H, Q, L].
    """
    if q_BHQE.dtype is torch.bfloat16:
        return plain_attention(q_BHQE, k_BHLE, v_BHLE, visible, weight_BQ)
    batch, heads, queries, size = q_BHQE.shape
    extra_BHQ1 = weight_BQ[:, None, :, None].expand(batch, heads, queries, 1)
    flag_BHL1 = k_BHLE.new_zeros(batch, heads, k_BHLE.shape[2], 1)
    flag_BHL1[:, :, -1] = 1.0
    q = torch.cat([q_BHQE * size**-0.5, extra_BHQ1], dim=-1)
    k = torch.cat([k_BHLE, flag_BHL1], dim=-1)
    # The fused kernel wants values as wide as keys; without the pad it is five times slower.
    v = F.pad(v_BHLE, (0, 1))
    mixed_BHQE: Tensor = F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=1.0)
    return mixed_BHQE[..., :size]


def pim_attention(
    items_BL: Tensor,
    objective_shown_B: Tensor,
    weight_BL: Tensor,
    leak: bool,
    at: int | None = None,
) -> Attention:
    """Return attention over windows under the PIM, for every layer.

    Args:
        items_BL: See ``visible``.
        objective_shown_B: See ``visible``.
        weight_BL: What the mask adds to the objective's logit.
        leak: See ``visible``.
        at: The only query, if given.
    """
    queries = slice(None) if at is None else slice(at, at + 1)

    @cache
    def table() -> Tensor:
        return visible(items_BL, objective_shown_B, leak)[:, None, queries]

    @cache
    def numbers() -> tuple[Tensor, Tensor]:
        seen_BLL, last_BL = as_numbers(items_BL, objective_shown_B, weight_BL, leak)
        return seen_BLL[:, :, queries], last_BL[:, queries]

    def pattern() -> Pattern | None:
        return None if leak else as_pattern(items_BL, objective_shown_B, weight_BL)

    def attend(q_BHQE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
        if pays(q_BHQE, k_BHLE):
            return product_attention(q_BHQE, k_BHLE, v_BHLE, *numbers())
        return weighted_attention(q_BHQE, k_BHLE, v_BHLE, weight_BL[:, queries], table())

    return PatternAttention(attend, pattern)
