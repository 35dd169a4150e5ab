"""One plain training loop for every neural model."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig, later
from influpath.errors import DivergedError, ModelFileError
from influpath.training.checkpoints import load_checkpoint, read_state, save_checkpoint
from influpath.training.optimizer import RowwiseAdamW, clip_gradients
from influpath.training.progress import Progress
from influpath.training.shards import team


class TrainingConfig(FrozenConfig):
    """How a neural model is trained.

    Attributes:
        epochs: Passes over the training data at most.
        learning_rate: Adam's starting rate.
        weight_decay: Decoupled weight decay (AdamW); 0 is plain Adam.
        schedule: "plateau" halves the rate when validation stagnates (paper IV-D6); "cosine"
            warms up for ``warmup`` of the steps and then decays to 0 over ``epochs``.
        plateau_patience: Epochs without improvement before the rate is halved.
        patience: Epochs without improvement before training stops early.
        warmup: Share of all steps with a linearly growing rate (schedule "cosine").
        clip_norm: Bound on the gradient norm.
        validate_every: Epochs between validations.
        precision: "bfloat16" trains about twice as fast on processors that have it: matrix
            products and attention round to 8 bits of mantissa, weights, sums and validation stay
            float32.  Losses agree to about 1e-4.
        softmax_sample: For catalogues beyond 100,000 items: the full softmax is estimated from so
            many items, drawn anew for every batch; 0 is the whole catalogue.  See
            ``catalogue_loss``.
    """

    epochs: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["plateau", "cosine"] = "cosine"
    plateau_patience: int = Field(default=2, ge=0)
    patience: int = Field(default=10, ge=1)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, gt=0)
    validate_every: int = Field(default=1, ge=1)
    precision: Literal["float32", "bfloat16"] = later("float32")
    softmax_sample: int = later(0, ge=0)


class Task(ABC):
    """What the loop needs to know of a model."""

    module: torch.nn.Module
    label: str
    criterion: str
    higher_is_better: bool

    @abstractmethod
    def batches(self, rng: np.random.Generator) -> list[Any]:
        """Return one epoch's batches (cheap descriptions; tensors are made in ``loss``)."""

    def shards(self, batch: Any) -> Sequence[Any]:
        """Cut a batch into shards that ``loss`` takes one by one, at the same time; see ``shards``.

        Where losses depend on the whole batch, it stays whole.
        """
        return [batch]

    @abstractmethod
    def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the mean loss of a batch and the number of supervised positions behind it."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Return validation figures, ``criterion`` among them."""


@dataclass
class TrainingHistory:
    """What happened: one entry per epoch, and which one was best."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: float = math.nan
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "best": self.best if math.isfinite(self.best) else None,
            "seconds": round(self.seconds, 1),
        }


@contextmanager
def seeded(*numbers: int) -> Iterator[np.random.Generator]:
    """Seed torch from numbers for the block, and leave the caller's generator as it was."""
    sequence = np.random.SeedSequence(numbers)
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    accelerators = range(torch.cuda.device_count()) if used else []
    with torch.random.fork_rng(devices=accelerators):
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
        yield np.random.default_rng(sequence.spawn(1)[0])


def train(
    task: Task,
    config: TrainingConfig,
    seed: int,
    checkpoint: Path | None = None,
    identity: Mapping[str, Any] | None = None,
) -> TrainingHistory:
    """Train until the epochs are used up or validation stops improving; keep the best weights.

    Args:
        task: The model, its batches, loss and validation.
        config: Optimizer, schedule, stopping.
        seed: Every epoch's randomness follows from (seed, epoch).
        checkpoint: File written after every epoch and resumed from when it exists.
        identity: What the checkpoint must have been written for (configuration, data).

    Returns:
        The history; ``task.module`` holds the best weights.

    Raises:
        ModelFileError: The checkpoint is damaged or belongs to another run.
        DivergedError: The loss became infinite or NaN.
    """
    module = task.module
    optimizer = RowwiseAdamW(
        module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    for part in module.modules():
        if isinstance(part, torch.nn.Embedding):
            # A batch that meets few of the rows changes no others.
            part.sparse = config.softmax_sample > 0
    history = TrainingHistory()
    best = snapshot(module)
    rate, stale, since_halved = config.learning_rate, 0, 0
    identity = dict(identity or {})
    if checkpoint is not None and checkpoint.exists():
        state = read_state(checkpoint)
        if state.get("identity") != identity:
            raise ModelFileError(
                f"{checkpoint}: was written for another configuration, seed or dataset; delete it "
                "or choose another folder."
            )
        best = load_checkpoint(checkpoint, module, optimizer)
        history = TrainingHistory(**state["history"])
        rate, stale, since_halved = state["rate"], state["stale"], state["since_halved"]
    progress = Progress(task.label, config.epochs)
    for epoch in range(len(history.epochs) + 1, config.epochs + 1):
        if stale >= config.patience:
            break
        began = time.monotonic()
        progress.start_epoch()
        with seeded(seed, epoch) as rng:
            mean_loss = run_epoch(task, config, optimizer, rng, epoch, rate, progress)
        entry = {"epoch": float(epoch), "loss": mean_loss, "learning_rate": rate}
        if epoch % config.validate_every == 0 or epoch == config.epochs:
            entry |= validated(task)
            # NaN scores outrank nothing and nothing outranks them, so that ranks alone look fine.
            if any(map(math.isnan, entry.values())):
                raise diverged(task, config, "validation is NaN", epoch)
            value = entry[task.criterion]
            sign = 1.0 if task.higher_is_better else -1.0
            if math.isnan(history.best) or sign * value > sign * history.best:
                history.best, history.best_epoch = value, epoch
                best, stale, since_halved = snapshot(module), 0, 0
            else:
                stale, since_halved = stale + 1, since_halved + 1
                if config.schedule == "plateau" and since_halved > config.plateau_patience:
                    rate, since_halved = rate / 2, 0
        entry["seconds"] = round(time.monotonic() - began, 2)
        history.epochs.append(entry)
        history.seconds += entry["seconds"]
        shown = {k: v for k, v in entry.items() if k not in ("epoch", "seconds", "learning_rate")}
        progress.end_epoch(epoch, shown, f"best at {history.best_epoch}")
        if checkpoint is not None:
            state = {
                "identity": identity,
                "history": vars(history),
                "rate": rate,
                "stale": stale,
                "since_halved": since_halved,
            }
            save_checkpoint(checkpoint, module, best, optimizer, state)
    module.load_state_dict(best)
    module.eval()
    return history


def run_epoch(
    task: Task,
    config: TrainingConfig,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    epoch: int,
    rate: float,
    progress: Progress,
) -> float:
    """Make one pass over the batches; return the mean loss per supervised position."""
    task.module.train()
    device = device_of(task.module)
    batches = task.batches(rng)
    total, positions = 0.0, 0
    with team(task.module, lambda: arithmetic(task.module, config)) as threads:
        for number, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = scheduled(config, rate, epoch - 1 + number / len(batches))
            # What is no processor computes a whole batch at once by itself.
            shards = task.shards(batch) if device.type == "cpu" else [batch]
            loss, count = threads.differentiate(task.loss, shards, rng)
            if not count:
                continue
            if not math.isfinite(loss):
                raise diverged(task, config, f"loss is {loss}", epoch)
            clip_gradients(task.module.parameters(), config.clip_norm)
            optimizer.step()
            total, positions = total + loss * count, positions + count
            progress.batch(epoch, number + 1, len(batches), total / positions)
    return total / max(positions, 1)


def arithmetic(module: torch.nn.Module, config: TrainingConfig) -> torch.autocast:
    """Return the context in which a module computes losses in the configured precision."""
    half = config.precision == "bfloat16"
    return torch.autocast(device_of(module).type, torch.bfloat16, enabled=half)


def device_of(module: torch.nn.Module) -> torch.device:
    """Return the device that a module is on."""
    return next(module.parameters()).device


def diverged(task: Task, config: TrainingConfig, what: str, epoch: int) -> DivergedError:
    """Return the error of a training that came to nothing."""
    return DivergedError(
        f"{task.label}: the training diverged ({what} in epoch {epoch}); lower "
        f"training.learning_rate (now {config.learning_rate:g})."
    )


def scheduled(config: TrainingConfig, rate: float, epochs_done: float) -> float:
    """Return the learning rate after a (fractional) number of epochs."""
    if config.schedule == "plateau":
        return rate
    done = epochs_done / config.epochs
    if done < config.warmup:
        return rate * max(done / config.warmup, 1e-3)
    return rate * 0.5 * (1 + math.cos(math.pi * (done - config.warmup) / (1 - config.warmup)))


def validated(task: Task) -> dict[str, float]:
    """Run the task's validation without dropout or gradients."""
    task.module.eval()
    with torch.inference_mode():
        return task.validate()


def snapshot(module: torch.nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
