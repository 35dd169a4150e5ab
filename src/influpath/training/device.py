"""Where models are trained: the processor, or an accelerator that PyTorch knows.

A device is a fact of the machine and not of an experiment, so it is no setting of a model: the same
configuration trained elsewhere is the same model but for the order of sums.  Trained models always
come back to the processor, which is where they plan and judge.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from influpath.errors import ConfigError

DEVICE_VARIABLE = "INFLUPATH_DEVICE"
# An accelerator has no cache to stay in: chunks are as large as its memory easily bears.
ACCELERATOR_CHUNK_BYTES = 256 << 20


def training_device(given: str | None = None) -> torch.device:
    """Return the device to train on: the one given, else that of ``INFLUPATH_DEVICE``, else cpu.

    Raises:
        ConfigError: There is no such device on this machine.
    """
    name = given or os.environ.get(DEVICE_VARIABLE) or "cpu"
    where = "device" if given else DEVICE_VARIABLE
    try:
        device = torch.device(name)
        # What cannot hold a number cannot hold a model.
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as cause:
        reason = str(cause).strip().splitlines()[0].rstrip(".")
        raise ConfigError(
            f"{where} {name!r}: cannot be trained on here ({reason}); use cpu, or cuda on a "
            "machine with a GPU and a PyTorch built for it."
        ) from None
    return device


@contextmanager
def training_on(device: torch.device) -> Iterator[None]:
    """Make tensors on the device throughout the block, unless they say where."""
    if device.type == "cpu":
        # Without a default, which costs time in every call.
        yield
        return
    with device:
        yield


def device_name(device: torch.device) -> str:
    """Return what a device is called, such as "cpu" or "cuda (NVIDIA H200)"."""
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"


def chunk_bytes(device: torch.device, of_processor: int) -> int:
    """Return how large a chunk should be, given its size on a processor."""
    return of_processor if device.type == "cpu" else ACCELERATOR_CHUNK_BYTES
