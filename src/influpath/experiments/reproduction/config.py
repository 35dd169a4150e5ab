"""The configuration of a reproduction: a run with every planner of the paper, and its studies."""

import math
import tomllib
from collections.abc import Collection
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from influpath.config import FrozenConfig, read_toml
from influpath.errors import ConfigError
from influpath.experiments.config import RunConfig, check_models, check_settings, with_seed
from influpath.planning.schedule import FloatSchedule, IntSchedule, PositiveIntSchedule
from influpath.registry import recommender_class

# Fewer pairs than this make no table, whatever the budget.
FEWEST_PAIRS = 30
# With a smaller share of the time than this, sweeps have fewer values.
SMALL_SHARE = 0.25
# The keys of a ramp, as JSON has it.
RAMP = {"start", "end"}
# With a smaller share than this pairs shrink faster than all else, since not everything shrinks.
EVEN_SHARE = 0.4
CORE = "core"

# Values by dial.
Sweep = dict[str, tuple[Any, ...]]


class Figure7Config(FrozenConfig):
    """The dials of Figure 7, each varied alone, the others as chosen.

    Attributes:
        k: Rec2Inf's candidates.
        w_t: Mask weight of the objective; 0 to 1 in the paper.
        guidance: g.
        pace: c.
        floor: The floor; 0 is none.
    """

    k: tuple[int, ...] = (10, 20, 30, 40, 50)
    w_t: tuple[FloatSchedule, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 4.0, 8.0)
    guidance: tuple[FloatSchedule, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    pace: tuple[PositiveIntSchedule, ...] = (1, 2, 3, 5, 8)
    floor: tuple[IntSchedule, ...] = (20, 50, 100, 200, 0)


class SearchConfig(FrozenConfig):
    """The search of Table VI.

    Attributes:
        trials: Settings tried.
        batch: Settings drawn at a time, and trained side by side where there are the workers.  What
            is tried depends on it, and so never on the machine's workers.
        rungs: Epochs after which a trial is scored; those that fall behind are pruned.
        seed: Decides which settings are tried.
    """

    trials: int = Field(default=16, ge=2)
    batch: int = Field(default=2, ge=1)
    rungs: tuple[PositiveInt, ...] = Field(default=(4, 12), min_length=1)
    seed: int = Field(default=0, ge=0)

    @field_validator("rungs")
    @classmethod
    def _rungs_rise(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in pairwise(value)):
            raise ValueError("every rung must have more epochs than the one before")
        return value


class ReproductionConfig(RunConfig):
    """A run of all the paper's planners, with variants of IRN and the dials of every figure.

    Attributes:
        minutes: What each group of recipes takes on two cores with one seed: "core", and each
            study with a budget of its own.  ``--budget`` is measured against it.
        pair_share: Share of the pairs that is used; below 1 only within a budget.
        variants: Settings of IRN that differ from ``models.irn``, by the variant's name.
        presets: Values that replace others under a preset, by its name.
        lengths: M of Figure 6.
        figure_7: Dials of Figure 7.
        retrained_w_t: w_t that IRN is trained with anew for Figure 7.
        frontier: Planner label -> dial -> values; every combination is a point.  Several such
            tables of a planner are swept one after the other.
        search: Table VI.
    """

    minutes: dict[str, float] = Field(default_factory=dict)
    pair_share: float = Field(default=1.0, gt=0, le=1)
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    presets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    lengths: tuple[int, ...] = (1, 5, 10, 20, 30, 40, 50)
    figure_7: Figure7Config = Figure7Config()
    retrained_w_t: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75)
    frontier: dict[str, Sweep | tuple[Sweep, ...]] = Field(default_factory=dict)
    search: SearchConfig = SearchConfig()

    @model_validator(mode="after")
    def _variants_fit(self) -> Self:
        check_models(self.frontier, self.models)
        check_settings_of_variants(self)
        return self

    def settings_of(self, variant: str | None) -> dict[str, Any]:
        """Return the settings of IRN, or of one of its variants.

        Raises:
            ConfigError: There is no such variant.
        """
        settings = self.models["irn"]
        if variant is None:
            return settings
        if variant not in self.variants:
            known = ", ".join(self.variants) or "none"
            raise ConfigError(f"variant {variant!r}: is not in the configuration; it has {known}.")
        return merged(settings, self.variants[variant])

    def sweeps_of(self, planner: str) -> tuple[Sweep, ...]:
        """Return the tables of dials that a planner is swept over; one without dials if none."""
        given = self.frontier.get(planner, {})
        return (given,) if isinstance(given, dict) else given

    def minutes_of(self, group: str) -> str:
        """Return what a group of recipes takes, in words."""
        return f"{self.minutes[group]:g} minutes" if group in self.minutes else "time unknown"

    def under(self, preset: str) -> Self:
        """Return the configuration of a preset, with a working folder of its own."""
        if preset == self.data.preset:
            return self
        values = merged(self.model_dump(mode="json"), self.presets.get(preset, {}))
        values["data"]["preset"] = preset
        values["name"] = f"{self.name}-{preset}"
        return self.parse(values, f"{self.name}, preset {preset}")

    def within(
        self,
        budget: float | None,
        groups: set[str],
        kept: Collection[str] = frozenset(),
        seeds: int = 1,
    ) -> Self:
        """Return the configuration that takes about ``budget`` minutes.

        Epochs, trials and pairs shrink by a factor that depends on the budget alone and never on
        the clock, so that an interrupted reproduction can go on.  If it is small, pairs shrink more
        and dials are swept over fewer values.

        Args:
            budget: Minutes; None is as many as it takes.
            groups: The groups of the recipes to be made.
            kept: Evaluators that are not trained, since earlier results have kept them.
            seeds: How many seeds are made.

        Raises:
            ConfigError: It is not known how long a group takes.
        """
        if budget is None:
            return self
        if unknown := sorted(groups - set(self.minutes)):
            raise ConfigError(
                f"--budget: it is not known how long {unknown[0]} takes; give it in the settings' "
                "table [minutes], or do without a budget."
            )
        needed = seeds * sum(self.minutes[group] for group in groups)
        if needed <= budget:
            return self
        if seeds > 1:
            # Those of further seeds are not kept.
            kept = ()
        share = max(budget / needed, 0.01)
        values = self.model_dump(mode="json")
        for group in ("evaluators", "models"):
            for name, settings in values[group].items():
                if group != "evaluators" or name not in kept:
                    values[group][name] = fewer_epochs(name, settings, share)
        for name, changes in self.variants.items():
            # One that does not name its epochs has those of IRN.
            if "epochs" in changes.get("training", {}):
                values["variants"][name] = fewer_epochs("irn", changes, share)
        if share < SMALL_SHARE:
            values["dials"] = thinned(values["dials"], share, 2)
            values["frontier"] = thinned(values["frontier"], share, 2)
            values["figure_7"] = thinned(values["figure_7"], share, 3)
            values["lengths"] = some_of(values["lengths"], share, 3)
        values["search"]["trials"] = max(2, round(share * self.search.trials))
        values["pair_share"] = share * min(share / EVEN_SHARE, 1.0) * self.pair_share
        return self.parse(values, f"{self.name} within {budget:g} minutes")

    def at_seed(self, number: int) -> Self:
        """Return the configuration of seed ``number``; 0 is the configuration as it stands.

        All models are trained with other seeds; pairs, dials' grid and subset stay.
        """
        if number == 0:
            return self
        values = self.model_dump(mode="json")
        for group in ("evaluators", "models"):
            for name, settings in values[group].items():
                seed = settings.get("seed", 0) + 1000 * number
                values[group][name] = with_seed(name, settings, seed)
        return self.parse(values, f"{self.name}, seed {number}")


def check_settings_of_variants(config: ReproductionConfig) -> None:
    """Check that every variant's settings are settings of IRN.

    Raises:
        ValueError: One is not; for pydantic to report.
    """
    if config.variants and "irn" not in config.models:
        raise ValueError("variants: are settings of IRN, which needs models.irn")
    for name in config.variants:
        check_settings({"irn": config.settings_of(name)})


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the changes, table by table."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def fewer_epochs(name: str, settings: dict[str, Any], share: float) -> dict[str, Any]:
    """Return a recommender's settings with a share of its epochs, at least one."""
    training = getattr(recommender_class(name).config_class.parse(settings, name), "training", None)
    if training is None:
        return settings
    epochs = max(1, math.ceil(share * training.epochs))
    return settings | {"training": settings.get("training", {}) | {"epochs": epochs}}


def thinned(values: Any, share: float, fewest: int) -> Any:
    """Return settings in which every list of values is thinned; see ``some_of``.

    A schedule is one value, be it a list within a list or a ramp.  Of a list of tables some are
    taken, and these are thinned themselves.
    """
    if isinstance(values, dict):
        if set(values) == RAMP:
            return values
        return {key: thinned(value, share, fewest) for key, value in values.items()}
    if isinstance(values, list):
        tables = any(isinstance(value, dict) and set(value) != RAMP for value in values)
        kept = some_of(values, share, fewest)
        return [thinned(value, share, fewest) for value in kept] if tables else kept
    return values


def some_of(values: list[Any], share: float, fewest: int) -> list[Any]:
    """Return the square root of a share of some values, evenly spread, the first and last included.

    Args:
        values: In their order.
        share: Below 1.
        fewest: So many at least, where there are.
    """
    count = min(len(values), max(fewest, round(len(values) * share**0.5)))
    places = [round(place * (len(values) - 1) / max(count - 1, 1)) for place in range(count)]
    return [values[place] for place in places]


def shipped() -> list[str]:
    """Return the datasets that settings are shipped for."""
    folder = files("influpath.experiments.reproduction") / "settings"
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if ".toml" in entry.name)


def read_config(dataset: str) -> ReproductionConfig:
    """Read the shipped settings of a dataset, or those in a TOML file.

    Raises:
        ConfigError: There are none.
    """
    if dataset in shipped():
        entry = files("influpath.experiments.reproduction") / "settings" / f"{dataset}.toml"
        return ReproductionConfig.parse(tomllib.loads(entry.read_text(encoding="utf-8")), dataset)
    if dataset.endswith(".toml"):
        return ReproductionConfig.parse(read_toml(dataset), dataset)
    raise ConfigError(
        f"{dataset!r}: there are settings for {' and '.join(shipped())}; for other data give a "
        "TOML file (docs/reproducing.md)."
    )
