"""Resumable checkpoints: one safetensors file, replaced as a whole after every epoch.

Everything a resumed training needs is in it: weights, the best weights so far, the optimizer's
state, the learning-rate schedule and the history.  Random numbers need no entry: every epoch seeds
its own generators from (seed, epoch), so a resumed training repeats an uninterrupted one exactly.
"""

import json
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from influpath.errors import ModelFileError
from influpath.files import read_tensors, write_tensors


def save_checkpoint(
    path: Path,
    module: torch.nn.Module,
    best: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
) -> None:
    """Write a checkpoint atomically: an interruption leaves the previous one.

    Args:
        path: The checkpoint file.
        module: The network.
        best: The weights with the best validation so far.
        optimizer: Its state tensors are stored by parameter number.
        state: Anything JSON can hold (epoch, schedule, history, identity of the run).
    """
    tensors = {f"module/{name}": tensor for name, tensor in module.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for number, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            tensors[f"optimizer/{number}/{name}"] = torch.as_tensor(value)
    # Safetensors refuses tensors that share memory (tied weights): all but one are copied.
    seen: set[int] = set()
    for name, tensor in tensors.items():
        if (place := tensor.untyped_storage().data_ptr()) in seen:
            tensors[name] = tensor.detach().clone()
        seen.add(place)
    write_tensors(path, tensors, metadata={"state": json.dumps(state)})


def read_state(path: Path) -> dict[str, Any]:
    """Return the JSON part of a checkpoint.

    Raises:
        ModelFileError: The file is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as handle:
            state = json.loads((handle.metadata() or {})["state"])
    except (safetensors.SafetensorError, KeyError, ValueError, OSError) as cause:
        raise ModelFileError(
            f"{path}: the checkpoint is damaged ({cause}); delete it to train from the start."
        ) from None
    return dict(state)


def load_checkpoint(
    path: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Load weights and optimizer state in place; return the best weights so far."""
    tensors = read_tensors(path)
    parts: dict[str, dict[str, Tensor]] = {"module": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, rest = name.split("/", 1)
        parts[part][rest] = tensor
    module.load_state_dict(parts["module"])
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        number, key = name.split("/", 1)
        entries.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
    return parts["best"]
