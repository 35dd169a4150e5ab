"""The network of IRN: embeddings, decoder layers under the PIM, tied output (paper III-D).

The window has a fixed layout: pre-padded items, then the objective in the last position.  Positions
therefore tell how many slots are left before the objective.

Shape suffixes: B batch, Q query positions, L key positions, D width, H heads, E width of a head.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from influpath.irn.config import IRNConfig
from influpath.irn.mask import objective_weight, visible
from influpath.recommenders.blocks import (
    Attention,
    Dropout,
    TransformerBlock,
    initialise,
    plain_attention,
)
from influpath.training.catalogue_loss import Output, rows_of


@dataclass
class KeyValueCache:
    """Keys and values of every layer at every position of a window.

    With pace 1 and without the leak, the state at a position never changes once its item is known,
    so one new position per step is all that planning has to compute.

    Attributes:
        keys_XBHLE: Keys by layer X.
        values_XBHLE: Values by layer X.
        known_BL: Positions that may be attended to (items, and the objective if shown).
    """

    keys_XBHLE: Tensor
    values_XBHLE: Tensor
    known_BL: Tensor

    def part(self, rows: slice) -> "KeyValueCache":
        """Return some rows, without copying them."""
        return KeyValueCache(
            self.keys_XBHLE[:, rows], self.values_XBHLE[:, rows], self.known_BL[rows]
        )

    def keep(self, rows: Tensor) -> None:
        """Keep some rows of the batch."""
        self.keys_XBHLE = self.keys_XBHLE[:, rows]
        self.values_XBHLE = self.values_XBHLE[:, rows]
        self.known_BL = self.known_BL[rows]

    def put(self, rows: Tensor, other: "KeyValueCache") -> None:
        """Replace some rows of the batch by those of another cache."""
        self.keys_XBHLE[:, rows] = other.keys_XBHLE
        self.values_XBHLE[:, rows] = other.values_XBHLE
        self.known_BL[rows] = other.known_BL


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
        mean = self.impressionability(self.user.weight.mean(0))[0]
        known_B = self.impressionability(self.user(users_B.clamp(min=0)))[:, 0]
        return torch.where(users_B < 0, mean, known_B)

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
        cache: KeyValueCache | None = None,
        at: int | None = None,
    ) -> Tensor:
        """Return hidden states [B, L, D]; position j predicts the item at position j + 1.

        Args:
            items_BL: Pre-padded windows that end at the last position of the layout, with the
                objective there.  L may be below l_max: leading pads can be left away.
            objective_shown_B: False hides the objective.
            r_B: Impressionability r_u of each row.
            w_t_BL: Aggressiveness at each query position.
            cache: Filled with the keys and values of all positions where given.
            at: If given, the only position whose hidden state is wanted: [B, 1, D].
        """
        config = self.config
        visible_BLL = visible(items_BL, objective_shown_B, config.leak)
        weight_BL = objective_weight(config.mask_type, r_B, w_t_BL, config.w_h)
        # The objective's column of its own row is itself: no weight needed there.
        x_BLD = self.embed(items_BL, config.l_max - items_BL.shape[1])
        for layer, block in enumerate(self.blocks):
            if at is not None and layer == len(self.blocks) - 1:
                # The objective's column is the last key whatever the query.
                visible_BLL, weight_BL = visible_BLL[:, at : at + 1], weight_BL[:, at : at + 1]
                x_BLD = block(x_BLD, pim_attention(visible_BLL, weight_BL, cache, layer), at)
            else:
                x_BLD = block(x_BLD, pim_attention(visible_BLL, weight_BL, cache, layer))
        hidden: Tensor = self.norm(x_BLD)
        return hidden

    def advance(
        self, items_B: Tensor, position: int, r_B: Tensor, w_t_B: Tensor, cache: KeyValueCache
    ) -> Tensor:
        """Add one item at a position and return its hidden state [B, D].

        Exact: equals ``forward`` over the whole window, since earlier states do not change.

        Args:
            items_B: The new items; a row with 0 goes along, and is to be replaced (``put``).
            position: Their position in the layout.
            r_B: Impressionability.
            w_t_B: Aggressiveness at the new position.
            cache: Keys and values so far; the new ones are written into it.
        """
        weight_B1 = objective_weight(self.config.mask_type, r_B, w_t_B[:, None], self.config.w_h)
        cache.known_BL[:, position] = True
        x_B1D = self.embed(items_B[:, None], position)
        for layer, block in enumerate(self.blocks):
            x_B1D = block(x_B1D, cached_attention(weight_B1, cache, layer, position))
        hidden: Tensor = self.norm(x_B1D)[:, 0]
        return hidden

    def peek(self, items_BK: Tensor, position: int, cache: KeyValueCache) -> Tensor:
        """Return the hidden state of each item as if it alone stood at a position, [B, K, D].

        Exact where the objective is hidden: equals ``advance`` with each item; the cache stays.

        Args:
            items_BK: Items that might come next.
            position: Their position in the layout.
            cache: Keys and values so far.
        """
        x_BKD = self.embed(items_BK.reshape(-1, 1), position).view(*items_BK.shape, -1)
        known_B1L = cache.known_BL[:, None].expand(-1, items_BK.shape[1], -1)
        itself_BKK = torch.eye(items_BK.shape[1], dtype=torch.bool).expand(len(items_BK), -1, -1)
        visible = torch.cat([known_B1L, itself_BKK], dim=2)[:, None]
        for layer, block in enumerate(self.blocks):
            x_BKD = block(x_BKD, peeking_attention(visible, cache, layer))
        hidden: Tensor = self.norm(x_BKD)
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
    visible_BLL: Tensor, weight_BL: Tensor, cache: KeyValueCache | None, layer: int
) -> Attention:
    """Return attention over a whole window under the PIM."""

    def attend(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
        if cache is not None:
            cache.keys_XBHLE[layer] = k_BHLE
            cache.values_XBHLE[layer] = v_BHLE
        return weighted_attention(q_BHLE, k_BHLE, v_BHLE, weight_BL, visible_BLL[:, None])

    return attend


def cached_attention(
    weight_B1: Tensor, cache: KeyValueCache, layer: int, position: int
) -> Attention:
    """Return attention of one new position over the cached ones."""

    def attend(q_BH1E: Tensor, k_BH1E: Tensor, v_BH1E: Tensor) -> Tensor:
        keys_BHLE, values_BHLE = cache.keys_XBHLE[layer], cache.values_XBHLE[layer]
        keys_BHLE[:, :, position] = k_BH1E[:, :, 0]
        values_BHLE[:, :, position] = v_BH1E[:, :, 0]
        visible = cache.known_BL[:, None, None, :]
        return weighted_attention(q_BH1E, keys_BHLE, values_BHLE, weight_B1, visible)

    return attend


def peeking_attention(visible: Tensor, cache: KeyValueCache, layer: int) -> Attention:
    """Return attention of candidates over the cached positions and themselves."""

    def attend(q_BHKE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor) -> Tensor:
        keys = torch.cat([cache.keys_XBHLE[layer], k_BHKE], dim=2)
        values = torch.cat([cache.values_XBHLE[layer], v_BHKE], dim=2)
        mixed: Tensor = F.scaled_dot_product_attention(q_BHKE, keys, values, attn_mask=visible)
        return mixed

    return attend
