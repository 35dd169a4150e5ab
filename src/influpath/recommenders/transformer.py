"""What SASRec and BERT4Rec have in common: sizes and the encoder's parts.

Shape suffixes: B batch, L positions, D width.
"""

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from influpath.recommenders.blocks import TransformerBlock
from influpath.recommenders.dropout import Dropout
from influpath.recommenders.neural import NeuralConfig


class TransformerConfig(NeuralConfig):
    """Settings of a transformer; see ``NeuralConfig`` for the others.

    Attributes:
        blocks: Number of layers.
        heads: Attention heads, a divisor of D.
    """

    blocks: int = Field(default=2, ge=1)
    heads: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> "TransformerConfig":
        if self.embedding_size % self.heads:
            raise ValueError("heads must divide embedding_size")
        return self


class ItemEncoder(nn.Module):
    """Item and position embeddings, transformer blocks and the bias of a tied output layer.

    Args:
        config: Sizes.
        tokens: Rows of the item embedding: items and special tokens.
        items: Catalogue size.
    """

    def __init__(self, config: TransformerConfig, tokens: int, items: int) -> None:
        super().__init__()
        width = config.embedding_size
        self.item = nn.Embedding(tokens, width)
        self.position = nn.Embedding(config.max_length + 1, width)
        self.bias = nn.Parameter(torch.zeros(items))
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, config.heads, config.dropout) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(width)

    def embed(self, items_BL: Tensor, position: Tensor) -> Tensor:
        """Return item plus position embeddings; position is [L, D] or [B, L, D]."""
        # Scaled so that items are not drowned by positions at the start of training.
        x_BLD = self.item(items_BL) * self.item.embedding_dim**0.5
        embedded: Tensor = self.dropout(x_BLD + position)
        return embedded
