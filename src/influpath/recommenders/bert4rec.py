"""BERT4Rec: bidirectional sequence encoder trained on masked items (Sun et al., CIKM 2019).

Departures from the original, each for a reason:
- Full-catalogue softmax over the masked positions, as in the original, computed by the fused loss.
- Pre-normalised blocks; dropout acts on the added features only.
- A share of the training windows masks only the last item, which is the question asked at
  inference (the original repeats its data with such windows).
- Windows are drawn at a new random offset each epoch; the original fixes ten masked copies.

Windows are pre-padded, so that the item to predict is always at the last position.

Shape suffixes: B batch, L positions, D width, N supervised positions, K items whose
output is asked for.
"""

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.sequences import IntArray, Sequences
from influpath.native.operators import Pattern
from influpath.recommenders.bert4rec_candidates import after_candidates
from influpath.recommenders.blocks import (
    Attention,
    PatternAttention,
    evaluating,
    full_attention,
    gelu,
    initialise,
    masked_attention,
)
from influpath.recommenders.causal import ENCODE_TOKENS, length_batches
from influpath.recommenders.neural import NeuralRecommender, Windows
from influpath.recommenders.transformer import ItemEncoder, TransformerConfig


class BERT4RecConfig(TransformerConfig):
    """Settings of BERT4Rec; see ``NeuralConfig`` and ``TransformerConfig`` for the others.

    Attributes:
        mask_share: Share of a window's items that is masked.
        last_share: Share of the windows in which only the last item is masked.
    """

    mask_share: float = Field(default=0.3, gt=0, lt=1)
    last_share: float = Field(default=0.1, ge=0, le=1)


class BERT4RecNetwork(ItemEncoder):
    """A bidirectional transformer; item 0 is padding, the last embedding row is the mask."""

    def __init__(self, config: BERT4RecConfig, items: int) -> None:
        super().__init__(config, tokens=items + 2, items=items)
        self.mask = items + 1
        width = config.embedding_size
        self.transform = nn.Linear(width, width)
        self.transform_norm = nn.LayerNorm(width)
        initialise(self)

    def forward(self, items_BL: Tensor, only_last: bool = False) -> Tensor:
        """Return encodings [B, L, D] of pre-padded windows (L at most max_length + 1).

        Args:
            items_BL: The windows.
            only_last: Return the encoding of the last position alone, [B, 1, D].
        """
        length = items_BL.shape[1]
        real_B11L = (items_BL > 0)[:, None, None, :]
        # A pad sees itself, since it would else have nothing to attend to.
        attention: Attention = PatternAttention(
            masked_attention(real_B11L | torch.eye(length, dtype=torch.bool)),
            lambda: Pattern(False, (items_BL == 0).sum(1)),
        )
        # The last position holds the mask token, so it sees every real one.
        of_last = masked_attention(real_B11L)
        if not self.training and real_B11L.all():
            attention = of_last = full_attention
        # Positions count from the end, so that they do not depend on the padding.
        x_BLD = self.embed(items_BL, self.position.weight[-length:])
        for block in self.blocks[:-1]:
            x_BLD = block(x_BLD, attention)
        last = self.blocks[-1]
        x_BLD = last(x_BLD, of_last, length - 1) if only_last else last(x_BLD, attention)
        encoded: Tensor = self.norm(x_BLD)
        return encoded

    def head(self, x_ND: Tensor) -> Tensor:
        """Transform encodings of masked positions before the tied output layer."""
        mapped = gelu(self.transform(x_ND))
        hidden: Tensor = self.transform_norm(mapped)
        return hidden


class BERT4Rec(NeuralRecommender):
    """Bidirectional recommender; see the module docstring for its departures."""

    name: ClassVar[str] = "bert4rec"
    config_class: ClassVar[type[FrozenConfig]] = BERT4RecConfig
    config: BERT4RecConfig
    module: BERT4RecNetwork

    def _build(self) -> BERT4RecNetwork:
        return BERT4RecNetwork(self.config, self.item_count)

    def _output(self) -> tuple[Tensor, Tensor | None]:
        return self.module.item.weight[1 : self.item_count + 1], self.module.bias

    def _output_of(self, items_K: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.module.item(items_K), self.module.bias[items_K - 1]

    def _supervised(self, windows: Windows, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        items_BL = windows.items.window(int(windows.items.lengths.max()))
        masked_BL = (items_BL > 0) & (rng.random(items_BL.shape) < self.config.mask_share)
        # Every window asks at least for its last item; some ask for nothing else.
        only_last_B = rng.random(len(items_BL)) < self.config.last_share
        masked_BL[only_last_B] = False
        masked_BL[only_last_B | ~masked_BL.any(1), -1] = True
        target_N = torch.as_tensor(items_BL[masked_BL])
        asked_BL = torch.as_tensor(np.where(masked_BL, self.module.mask, items_BL))
        hidden_ND = self.module.head(self.module(asked_BL)[torch.as_tensor(masked_BL)])
        return hidden_ND, target_N

    def _encode(self, histories: Sequences, users: IntArray | None) -> Tensor:
        # With the mask token a window is as long as in training: every position was trained.
        width = self.config.max_length - 1
        lengths = np.minimum(histories.lengths, width)
        order = np.argsort(lengths, kind="stable")
        result = torch.empty(len(lengths), self.config.embedding_size)
        for batch in length_batches(lengths[order] + 1, ENCODE_TOKENS):
            rows = order[batch]
            items_BL = torch.as_tensor(histories.take(rows).window(int(lengths[rows].max())))
            asked_B1 = torch.full((len(rows), 1), self.module.mask)
            encoded_B1D = self.module(torch.cat([items_BL, asked_B1], dim=1), only_last=True)
            result[torch.as_tensor(rows)] = self.module.head(encoded_B1D[:, 0])
        return result

    def user_vectors_after(
        self, histories: Sequences, candidates_RK: IntArray, users: IntArray | None = None
    ) -> Tensor | None:
        """See ``Recommender.user_vectors_after``: the candidates of a row share its history."""
        self.items  # noqa: B018 - raises where the model is not trained
        if self.config.blocks == 1:
            return super().user_vectors_after(histories, candidates_RK, users)
        evaluating(self.module)
        # Beside the candidate and the mask token.
        start = np.maximum(histories.lengths - (self.config.max_length - 2), 0)
        latest = histories.slice(np.arange(len(histories)), start, histories.lengths)
        with torch.no_grad():
            return after_candidates(self.module, latest, candidates_RK)
