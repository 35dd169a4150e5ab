"""Networks with random weights, large enough that every path of information shows."""

from functools import lru_cache
from typing import Any

import torch
from torch import nn

from influpath.data.ids import IdMap
from influpath.irn.config import IRNConfig
from influpath.irn.model import IRN
from influpath.irn.network import IRNNetwork

SIZES: dict[str, Any] = {
    "embedding_size": 16,
    "heads": 2,
    "layers": 3,
    "l_max": 12,
    "l_min": 4,
    "horizon": 6,
}


def randomise(module: nn.Module, seed: int, scale: float) -> None:
    """Weights as after some training rather than as at the start, where all signals are tiny."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.copy_(1 + noise if "norm" in name and name.endswith("weight") else noise)


@lru_cache(maxsize=32)
def random_irn(
    seed: int, items: int = 30, users: int = 5, scale: float = 0.15, **config: Any
) -> IRN:
    """Return an IRN that was not trained but has random weights; users 0..users-1 are known."""
    model = IRN(IRNConfig(**{**SIZES, **config}))
    model._items, model._users = IdMap(range(items), 1, "item"), IdMap(range(users), 0, "user")
    model.module = IRNNetwork(model.config, items, users)
    randomise(model.module, seed, scale)
    with torch.no_grad():
        # Impressionabilities that differ, around 1.
        model.module.user.weight.copy_(torch.linspace(0.2, 2.0, users)[:, None])
        model.module.impressionability.weight.fill_(1 / model.config.user_embedding_size)
    model.module.eval()
    return model
