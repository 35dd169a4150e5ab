"""What every experiment has: configuration, a folder for its work, prepared data, the split."""

import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from influpath.data import Dataset, Split, leave_last_out, load_dataset
from influpath.experiments.config import DataConfig
from influpath.experiments.workspace import Workspace

logger = logging.getLogger("influpath")


class ExperimentConfig(Protocol):
    """What a configuration must say."""

    @property
    def name(self) -> str:
        """Names the folder."""

    @property
    def data(self) -> DataConfig:
        """The interaction log."""


Config = TypeVar("Config", bound=ExperimentConfig)


@dataclass(eq=False)
class Experiment(Generic[Config]):
    """An experiment at work.  Everything is computed when first asked for, and kept.

    Attributes:
        config: What to do.
        data_dir: Folder of the real datasets, or None for the environment's.
        root: Folder that holds the working files of all experiments.
    """

    config: Config
    data_dir: str | None = None
    root: Path = field(default_factory=lambda: Path("runs"))

    def __post_init__(self) -> None:
        self.workspace = Workspace(self.root / self.config.name)

    @cached_property
    def dataset(self) -> Dataset:
        """The prepared data."""
        data = self.config.data
        with self.workspace.timed("data"):
            dataset = load_dataset(
                data.source, preset=data.preset, data_dir=self.data_dir, **data.options
            )
        logger.info("data: %s", ", ".join(f"{k} {v}" for k, v in dataset.stats().items()))
        return dataset

    @cached_property
    def split(self) -> Split:
        """The data without each user's last item, and that item."""
        return leave_last_out(self.dataset)
