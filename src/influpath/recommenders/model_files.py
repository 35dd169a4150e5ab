"""Model folders: self-describing, checked on reading, never unpickled.

A folder holds ``model.json`` (kind, configuration, id maps, data fingerprint, package version) and
``weights.safetensors``.
"""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from influpath.data.dataset import Dataset, saveable_ids
from influpath.data.ids import IdMap
from influpath.errors import ModelFileError
from influpath.files import read_json, read_tensors, sha256_file, write_json, write_tensors

FORMAT = "influpath-model-1"
ABOUT, WEIGHTS = "model.json", "weights.safetensors"


@dataclass(frozen=True)
class TrainedOn:
    """The dataset a model was trained on, as recorded in its folder."""

    name: str
    preset: str
    fingerprint: str

    @classmethod
    def of(cls, dataset: Dataset) -> "TrainedOn":
        """Describe a dataset."""
        return cls(dataset.name, dataset.preset, dataset.fingerprint)


@dataclass(frozen=True, eq=False)
class ModelFile:
    """The content of a model folder."""

    kind: str
    config: dict[str, Any]
    items: IdMap
    users: IdMap
    trained_on: TrainedOn
    history: dict[str, Any]
    weights: dict[str, Tensor]


def write_model(directory: str | Path, model: ModelFile, half: bool = False) -> None:
    """Write a model folder.

    Args:
        directory: Created if missing; an existing model in it is replaced.
        model: What to write.
        half: Store the weights in half precision (judges are committed that way).
    """
    directory = Path(directory)
    weights = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in model.weights.items()
    }
    write_tensors(directory / WEIGHTS, weights)
    about = {
        "format": FORMAT,
        "kind": model.kind,
        "influpath": importlib.metadata.version("influpath"),
        "config": model.config,
        "trained_on": vars(model.trained_on),
        "weights_sha256": sha256_file(directory / WEIGHTS),
        "history": model.history,
        "items": saveable_ids(model.items),
        "users": saveable_ids(model.users),
    }
    write_json(directory / ABOUT, about)


def read_model(directory: str | Path, kind: str | None = None) -> ModelFile:
    """Read and check a model folder; half precision weights come back as float32.

    Raises:
        ModelFileError: The folder is missing, damaged, or holds another kind of model.
    """
    directory = Path(directory)
    if not (directory / ABOUT).is_file():
        raise ModelFileError(f"{directory}: is not a model folder ({ABOUT} is missing).")
    about = read_json(directory / ABOUT)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ModelFileError(f"{directory}: was not written by this version of influpath.")
    if kind is not None and about.get("kind") != kind:
        raise ModelFileError(
            f"{directory}: holds a model of kind {about.get('kind')!r}, not {kind!r}."
        )
    weights_path = directory / WEIGHTS
    if not weights_path.is_file():
        raise ModelFileError(f"{weights_path}: no such file; the model folder is incomplete.")
    if sha256_file(weights_path) != about.get("weights_sha256"):
        raise ModelFileError(
            f"{weights_path}: does not fit the checksum in {ABOUT}; the model is damaged, train or "
            "copy it again."
        )
    try:
        return ModelFile(
            kind=about["kind"],
            config=about["config"],
            items=IdMap(about["items"], 1, "item"),
            users=IdMap(about["users"], 0, "user"),
            trained_on=TrainedOn(**about["trained_on"]),
            history=about["history"],
            weights={
                name: tensor.float() if tensor.dtype == torch.float16 else tensor
                for name, tensor in read_tensors(weights_path).items()
            },
        )
    except (KeyError, TypeError, ValueError) as cause:
        raise ModelFileError(f"{directory / ABOUT}: is damaged ({cause!r}).") from None
