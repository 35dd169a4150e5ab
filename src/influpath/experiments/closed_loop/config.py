"""The configuration of a closed loop: a run, and what its users are like."""

import tomllib
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from influpath.config import FrozenConfig, read_toml
from influpath.errors import ConfigError
from influpath.experiments.reproduction.config import ReproductionConfig, merged
from influpath.experiments.reproduction.config import shipped as reproduced
from influpath.planning.sensitivity import Sensitivity
from influpath.simulation.audience import LoopConfig
from influpath.simulation.judge_users import JudgeUsersConfig

Driver = Literal["judge", "truth"]
# Planner label -> dial -> the values to try; every combination is a candidate.
Grids = dict[str, dict[str, tuple[Any, ...]]]


class JudgesConfig(FrozenConfig):
    """The study of judges against the truth.

    Attributes:
        users: Report users, at most.
        points: Planners and dials that are ranked; every combination is one.
    """

    users: PositiveInt = 600
    points: Grids = Field(default_factory=dict)


class LoopSettings(FrozenConfig):
    """The closed loop of a run.

    Attributes:
        result: File the result is written to; by default ``runs/<name>/simulate.json``.
        drivers: What drives the users: the headline judge, or the truth of the simulated world.
        planners: Labels.
        plain: The planner that is the plain recommender.
        adaptive: Which of the planners learn their users' sensitivity in a row of their own.
        open_loop: Which of them are shown without re-planning in a row of their own.
        last_offer: Which of them show the objective in the last round in a row of their own.
        users: Report users, at most; 0 is all.
        dial_users: Dial users, at most; 0 is all.
        grids: Dials to choose from, for planners that have any; others stand as in the run.
        margin: A candidate may have at most this much more leaving than the plain recommender; the
            same margin bounds what is called as much leaving.
        loop: What users are like beyond their taste.
        judge_users: How a judge's probabilities become acceptance.
        sensitivity: How it is learned.
        judges: The study of judges against the truth.
    """

    result: str | None = None
    drivers: tuple[Driver, ...] = Field(default=("judge",), min_length=1)
    planners: tuple[str, ...] = (
        *("irn", "rec2inf/sasrec", "ipg/sasrec", "lookahead/sasrec"),
        *("vanilla/sasrec", "direct"),
    )
    plain: str = "vanilla/sasrec"
    adaptive: tuple[str, ...] = ("irn", "rec2inf/sasrec", "ipg/sasrec", "lookahead/sasrec")
    open_loop: tuple[str, ...] = ("irn",)
    last_offer: tuple[str, ...] = (
        *("irn", "rec2inf/sasrec", "ipg/sasrec", "lookahead/sasrec"),
        "vanilla/sasrec",
    )
    users: NonNegativeInt = 0
    dial_users: NonNegativeInt = 0
    grids: Grids = Field(default_factory=dict)
    margin: float = Field(default=0.1, ge=0, lt=1)
    loop: LoopConfig = LoopConfig()
    judge_users: JudgeUsersConfig = JudgeUsersConfig()
    sensitivity: Sensitivity = Sensitivity()
    judges: JudgesConfig = JudgesConfig()

    @model_validator(mode="after")
    def _names_are_there(self) -> Self:
        for field in ("adaptive", "open_loop", "last_offer", "grids"):
            others = [name for name in getattr(self, field) if name not in self.planners]
            if others:
                raise ValueError(f"{field}: {others[0]} is none of the planners")
        if self.plain not in self.planners:
            raise ValueError(f"plain: {self.plain} is none of the planners")
        return self


class SimulateConfig(ReproductionConfig):
    """A run with a closed loop.

    Attributes:
        simulate: The closed loop.
    """

    simulate: LoopSettings = LoopSettings()

    @model_validator(mode="after")
    def _truth_is_known(self) -> Self:
        if "truth" in self.simulate.drivers and self.data.source != "simulated":
            raise ValueError(
                f"simulate.drivers: the truth is known of the simulated world, not of "
                f"{self.data.source}"
            )
        return self


def combinations(grid: dict[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return every combination of dials' values."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def shipped() -> list[str]:
    """Return the datasets that settings are shipped for."""
    folder = files("influpath.experiments.closed_loop") / "settings"
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if ".toml" in entry.name)


def read_config(dataset: str) -> SimulateConfig:
    """Read the shipped settings of a dataset, or those in a run file.

    A file with ``base = "ml-1m"`` stands on the settings of that dataset's reproduction.

    Raises:
        ConfigError: There are none, or a value is wrong.
    """
    if dataset in shipped():
        entry = files("influpath.experiments.closed_loop") / "settings" / f"{dataset}.toml"
        values = tomllib.loads(entry.read_text(encoding="utf-8"))
    elif dataset.endswith(".toml"):
        values = read_toml(dataset)
    else:
        raise ConfigError(
            f"{dataset!r}: there are settings for {', '.join(shipped())}; for other data give a "
            "run file (docs/simulation.md)."
        )
    base = values.pop("base", None)
    if base is not None:
        values = merged(base_values(base, dataset), values)
    return SimulateConfig.parse(values, dataset)


def base_values(base: Any, where: str) -> dict[str, Any]:
    """Return the settings of a dataset's reproduction.

    Raises:
        ConfigError: There are none.
    """
    if base not in reproduced():
        raise ConfigError(f"{where}: base: must be one of {', '.join(reproduced())}, not {base!r}.")
    entry = files("influpath.experiments.reproduction") / "settings" / f"{base}.toml"
    return tomllib.loads(entry.read_text(encoding="utf-8"))
