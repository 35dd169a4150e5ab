"""Writing without half-written files, and reading back with clear errors."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import safetensors
import safetensors.torch
import torch

from influpath.errors import InfluPathError, ModelFileError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block succeeds.

    An interruption leaves either the old file or the new one, never a part of one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, since some writers choose the format by it.
    temporary = path.with_name(f".{path.stem}-{uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` atomically as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` atomically as indented JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path, error: type[InfluPathError] = ModelFileError) -> Any:
    """Read JSON.

    Args:
        path: The file.
        error: The error class to raise when the file is missing or damaged.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path}: no such file.") from None
    except (ValueError, OSError) as cause:
        raise error(f"{path}: is damaged or not JSON ({cause}).") from None


def write_tensors(
    path: str | Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write named tensors atomically as safetensors."""
    with atomic_path(path) as temporary:
        safetensors.torch.save_file(
            {name: tensor.detach().contiguous() for name, tensor in tensors.items()},
            temporary,
            metadata=metadata,
        )


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Read named tensors from a safetensors file.

    Raises:
        ModelFileError: The file is missing or damaged.
    """
    path = Path(path)
    try:
        return dict(safetensors.torch.load_file(path))
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file.") from None
    except (safetensors.SafetensorError, ValueError, OSError) as cause:
        raise ModelFileError(f"{path}: is damaged or not safetensors ({cause}).") from None


def sha256_file(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_arrays(*parts: np.ndarray[Any, Any] | str) -> str:
    """Return one SHA-256 over arrays (their type, shape and bytes) and strings, in order."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(b"s" + len(part).to_bytes(8, "little") + part.encode())
        else:
            digest.update(f"a{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
