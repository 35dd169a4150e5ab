"""The configuration of a run: one frozen model, one TOML file."""

from collections.abc import Collection, Iterable
from itertools import product
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from influpath.config import FrozenConfig
from influpath.errors import ConfigError
from influpath.planning.schedule import FloatSchedule, IntSchedule, PositiveIntSchedule
from influpath.registry import recommender_class


class DataConfig(FrozenConfig):
    """Where the interaction log comes from.

    Attributes:
        source: "ml-1m", "lastfm", "simulated", or a CSV, TSV or Parquet file.
        preset: Preparation preset: "clean", "paper" or "stated".
        options: For files: ``user_column``, ``item_column``, ``timestamp_column``, ...
    """

    source: str
    preset: str = "clean"
    options: dict[str, Any] = Field(default_factory=dict)


class PairsConfig(FrozenConfig):
    """How the (user, objective) pairs are drawn.

    Attributes:
        seed: Draws the objectives and the roles.
        dial_share: Share of users whose pairs choose the dials; all others report.
        subset: Report pairs of the fixed subset for rows that are expensive, as the oracle's.
    """

    seed: int = 1
    dial_share: float = Field(default=0.1, gt=0, lt=1)
    subset: int = Field(default=500, ge=2)


class DialGrid(FrozenConfig):
    """The candidates among which IRN's dials are chosen, and the rule's limits.

    The rule: highest accepted SR@20, then IoI, with log(PPL) at most ``margin`` above vanilla's and
    (if ``cap_worst_step``) the worst step at most Rec2Inf's, on the dial pairs under the evaluator
    that does not judge.  A candidate value is a number, or a schedule such as the ramp ``"1..6"``.
    """

    w_t: tuple[FloatSchedule, ...] = (1.0,)
    guidance: tuple[FloatSchedule, ...] = (1.0, 2.0, 3.0, 4.0, 6.0)
    pace: tuple[PositiveIntSchedule, ...] = (1, 3)
    floor: tuple[IntSchedule, ...] = (50,)
    lookahead: tuple[FloatSchedule, ...] = (0.0,)
    delivery: tuple[PositiveIntSchedule, ...] = (5,)
    margin: float = Field(default=0.8, gt=0)
    cap_worst_step: bool = False

    def candidates(self) -> list[dict[str, Any]]:
        """Return every combination, as JSON has it."""
        values = self.model_dump(mode="json", exclude={"margin", "cap_worst_step"})
        return [dict(zip(values, each, strict=True)) for each in product(*values.values())]


class SweepConfig(FrozenConfig):
    """Dials that the frontier is drawn over; pace and floor of IRN are the chosen ones."""

    guidance: tuple[FloatSchedule, ...] = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0)
    rec2inf_k: tuple[int, ...] = (1, 5, 20, 50, 100)
    oracle_k: tuple[int, ...] = (1, 5, 20, 50)


class RunConfig(FrozenConfig):
    """The whole job: data, models, planners, judging.

    Attributes:
        name: Names the run; its working files go to ``runs/<name>``.
        result: File the result is written to; judge, pairs and paths go to a folder of the same
            name beside it.  By default ``runs/<name>/main.json``.
        seed: Bootstrap intervals and the fixed subset.
        workers: Models trained at the same time, each on one thread, which makes every one of
            them bit-reproducible; and sets of paths planned at the same time, likewise.
        max_length: M.
        data: The interaction log.
        pairs: The (user, objective) pairs.
        evaluators: Settings by recommender name.  The best on validation judges; the next best
            chooses the dials.
        models: Settings of the planners' models by recommender name; their seeds must differ from
            those of the evaluators.
        planners: Planner labels of the table.
        subset_planners: Those of them that are expensive: planned on the fixed subset alone.
        spread_seeds: Seeds by planner label: how far its figures depend on its ``seed``.
        planner_dials: Settings by planner label, where not the defaults.
        dials: The grid for ``irn``.
        sweep: The frontier.
        half: Store the judge in half precision (and judge with exactly that).
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    result: str | None = None
    seed: int = 1
    workers: int = Field(default=2, ge=1)
    max_length: int = Field(default=20, ge=1)
    data: DataConfig
    pairs: PairsConfig = PairsConfig()
    evaluators: dict[str, dict[str, Any]] = Field(min_length=2)
    models: dict[str, dict[str, Any]] = Field(min_length=1)
    planners: tuple[str, ...] = ("irn", "vanilla/sasrec", "rec2inf/sasrec", "direct", "oracle")
    subset_planners: tuple[str, ...] = ("oracle",)
    spread_seeds: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    planner_dials: dict[str, dict[str, Any]] = Field(default_factory=dict)
    dials: DialGrid = DialGrid()
    sweep: SweepConfig = SweepConfig()
    half: bool = True

    @property
    def whole_planners(self) -> tuple[str, ...]:
        """The planners that are planned on every report pair."""
        return tuple(label for label in self.planners if label not in self.subset_planners)

    @field_validator("evaluators", "models")
    @classmethod
    def _settings_fit(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return check_settings(value)

    @field_validator("models")
    @classmethod
    def _seeds_differ(cls, value: dict[str, dict[str, Any]], info: Any) -> dict[str, Any]:
        judges = {settings.get("seed", 0) for settings in info.data.get("evaluators", {}).values()}
        for name, settings in value.items():
            if settings.get("seed", 0) in judges:
                raise ValueError(
                    f"{name}: has the seed of an evaluator; a judge must share no seed with a "
                    "planner it judges"
                )
        return value

    @model_validator(mode="after")
    def _planners_have_models(self) -> Self:
        check_models(self.planners, self.models)
        if (
            "irn" in self.planners
            and "irn" not in self.planner_dials
            and "sasrec" not in self.models
        ):
            raise ValueError(
                "irn: its dials are chosen beside vanilla/sasrec and rec2inf/sasrec, which needs "
                "models.sasrec; or give planner_dials.irn"
            )
        return self


def check_models(planners: Iterable[str], models: Collection[str]) -> None:
    """Check that every planner's recommender is among the models.

    Raises:
        ValueError: One is not; for pydantic to report.
    """
    for label in planners:
        name = label if label == "irn" else label.partition("/")[2]
        if name and name not in models:
            raise ValueError(f"{label}: needs models.{name}")


def check_settings(settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return settings by recommender name if every recommender is there and takes its own.

    Raises:
        ValueError: One does not; for pydantic to report.
    """
    for name, own in settings.items():
        try:
            recommender_class(name).config_class.parse(own, name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
    return settings


def with_seed(name: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return settings with a seed; what has none, as counting, is the same every time."""
    fields = recommender_class(name).config_class.model_fields
    return {**settings, "seed": seed} if "seed" in fields else settings
