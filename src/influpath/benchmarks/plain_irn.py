"""IRN written straightforwardly with torch's own layers: what this package's IRN is measured by.

The same network as ``influpath.irn`` (the same weights give the same loss and the same paths),
without any of its care for speed: windows are padded to full length, the PIM is one additive mask
of numbers per head, logits are made at all positions, and the loss is torch's cross-entropy.

Shape suffixes: B batch, L window, H heads, D width, I catalogue items, N positions of a batch.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from influpath.irn.config import IRNConfig
from influpath.irn.examples import Pieces
from influpath.irn.network import IRNNetwork

# Targets at pads.
IGNORED = -100


def gelu(x: Tensor) -> Tensor:
    """Return the same GELU as the package's blocks."""
    return F.gelu(x, approximate="tanh")


class PlainIRN(nn.Module):
    """Torch's encoder layers under the PIM.

    Args:
        config: Sizes; of the switches only the shipped ones.
        items: Catalogue size.
        users: Number of users.
    """

    def __init__(self, config: IRNConfig, items: int, users: int) -> None:
        super().__init__()
        if config.mask_type != 3 or config.leak or not config.tied or not config.aligned:
            raise ValueError("only IRN as shipped is written out here")
        width = config.embedding_size
        self.config = config
        self.item = nn.Embedding(items + 1, width)
        self.position = nn.Embedding(config.l_max, width)
        self.user = nn.Embedding(users, config.user_embedding_size)
        self.impressionability = nn.Linear(config.user_embedding_size, 1, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(self._layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(items))

    @staticmethod
    def _layer(config: IRNConfig) -> nn.TransformerEncoderLayer:
        width = config.embedding_size
        layer = nn.TransformerEncoderLayer(
            width, config.heads, 4 * width, config.dropout, gelu, batch_first=True, norm_first=True
        )
        # IRN drops what is added, and nothing else.
        layer.self_attn.dropout, layer.dropout.p = 0.0, 0.0
        return layer

    @classmethod
    def of(cls, network: IRNNetwork) -> "PlainIRN":
        """Return the same network with the same weights, for evaluation."""
        items, users = len(network.bias), network.user.num_embeddings
        plain = cls(network.config, items, users)
        weights = {
            name: tensor
            for name, tensor in network.state_dict().items()
            if not name.startswith("blocks.")
        }
        for name, tensor in network.blocks.state_dict().items():
            number, part, kind = name.split(".")
            weights[f"layers.{number}.{NAMES[part].format(kind)}"] = tensor
        plain.load_state_dict(weights)
        return plain.eval()

    def forward(self, items_BL: Tensor, users_B: Tensor, shown_B: Tensor, w_t: float) -> Tensor:
        """Return logits at all positions, [B, L, I].

        Args:
            items_BL: Windows of full length, pre-padded, the objective last.
            users_B: User rows; -1 where unknown.
            shown_B: False hides the objective.
            w_t: Aggressiveness, the same at every position.
        """
        hidden_BLD: Tensor = self.hidden(items_BL, users_B, shown_B, w_t)
        return F.linear(hidden_BLD, self.item.weight[1:], self.bias)

    def hidden(self, items_BL: Tensor, users_B: Tensor, shown_B: Tensor, w_t: float) -> Tensor:
        """Return hidden states at all positions, [B, L, D]; arguments as in ``forward``."""
        scale = self.config.embedding_size**0.5
        x_BLD = self.dropout(self.item(items_BL) * scale + self.position.weight)
        mask = self.mask(items_BL, users_B, shown_B, w_t)
        for layer in self.layers:
            x_BLD = layer(x_BLD, src_mask=mask)
        hidden_BLD: Tensor = self.norm(x_BLD)
        return hidden_BLD

    def mask(self, items_BL: Tensor, users_B: Tensor, shown_B: Tensor, w_t: float) -> Tensor:
        """Return the PIM as numbers to be added to the logits of attention, [B x H, L, L]."""
        batch, length = items_BL.shape
        earlier_LL = torch.ones(length, length, dtype=torch.bool).tril()
        itself_LL = torch.eye(length, dtype=torch.bool)
        seen_BLL = earlier_LL & (items_BL > 0)[:, None, :]
        seen_BLL[:, :, -1] = shown_B[:, None]
        seen_BLL[:, -1, :] = False
        mask_BLL = torch.full((batch, length, length), -torch.inf)
        mask_BLL = mask_BLL.masked_fill(seen_BLL | itself_LL, self.config.w_h)
        weight_B11 = (self.r_u(users_B) * w_t)[:, None, None]
        objective_BLL = seen_BLL & (torch.arange(length) == length - 1)
        mask_BLL = torch.where(objective_BLL, weight_B11, mask_BLL)
        return mask_BLL.repeat_interleave(self.config.heads, dim=0)

    def r_u(self, users_B: Tensor) -> Tensor:
        """Return the impressionability of users (formula 5), [B]."""
        mean_D = self.user.weight.mean(0)
        vectors = torch.where(users_B[:, None] < 0, mean_D, self.user(users_B.clamp(min=0)))
        r_B: Tensor = self.impressionability(vectors)[:, 0]
        return r_B

    def loss(self, items_BL: Tensor, users_B: Tensor, shown_B: Tensor) -> tuple[Tensor, int]:
        """Return the mean loss of formula 9 over a batch and the number of targets behind it."""
        logits = self(items_BL, users_B, shown_B, self.config.w_t)[:, :-1]
        known = items_BL[:, :-1] > 0
        target = (items_BL[:, 1:] - 1).masked_fill(~known, IGNORED)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED)
        return loss, int(known.sum())


# Where the weights of a block of the package go in torch's layer.
NAMES = {
    "norm_attention": "norm1.{}",
    "norm_feed": "norm2.{}",
    "query_key_value": "self_attn.in_proj_{}",
    "output": "self_attn.out_proj.{}",
    "feed_in": "linear1.{}",
    "feed_out": "linear2.{}",
}


class PlainTraining:
    """The straightforward loop: shuffle, pad to full length, batch, Adam.

    Args:
        model: Starts from its weights.
        pieces: The training pieces.
        seed: Of the order, and of hidden objectives.
    """

    def __init__(self, model: PlainIRN, pieces: Pieces, seed: int) -> None:
        self.model = model.train()
        self.windows = torch.from_numpy(pieces.sequences.window(model.config.l_max))
        self.users = torch.from_numpy(pieces.users)
        self.rng = np.random.default_rng(seed)
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=model.config.training.learning_rate
        )

    def batch(self) -> int:
        """Train on one random batch; return the number of targets."""
        config: Any = self.model.config
        rows = torch.from_numpy(self.rng.permutation(len(self.users))[: config.batch_size])
        shown = torch.from_numpy(self.rng.random(len(rows)) >= config.objective_dropout)
        loss, count = self.model.loss(self.windows[rows], self.users[rows], shown)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return count
