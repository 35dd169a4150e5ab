"""``influpath plan``: influence paths from a trained model."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from influpath.cli.objective_options import (
    CategoryObjective,
    FeasibilityFolder,
    ItemObjective,
    MinimumFeasibility,
    SetObjective,
    feasibility_of,
    objective_of,
)
from influpath.cli.options import (
    DataDir,
    DataOption,
    HistoriesFile,
    HistoriesSource,
    ItemColumn,
    ModelFolder,
    Preset,
    Role,
    TimestampColumn,
    UserColumn,
    WholeHistory,
    data_dir_of,
    key_values,
    source_options,
)
from influpath.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from influpath.data import Dataset
    from influpath.planning.base import Planner
    from influpath.planning.feasibility import Feasibility
    from influpath.planning.objectives import Objective
    from influpath.recommenders.base import Recommender

logger = logging.getLogger("influpath")

EXAMPLES = (
    "influpath plan --model runs/demo/models/model-irn-... --data simulated --user u00001 "
    "--objective i0042 --guidance 4 --pace 3 --floor 50",
    "influpath plan --model irn/ --data ml-1m --user 17 --category Drama",
    "influpath plan --model irn/ --data ml-1m --pairs pairs.csv --out paths.parquet",
    "influpath plan --model irn/ --histories histories.csv --pairs pairs.csv --out paths.json",
)
# Paths printed where no --out is given.
SHOWN = 10


def plan(
    context: typer.Context,
    model: ModelFolder,
    planner: Annotated[
        str | None,
        typer.Option(
            "--planner",
            help="irn, vanilla, rec2inf, direct, oracle or one of a plugin; by default irn for an "
            "IRN model and rec2inf for another.",
        ),
    ] = None,
    source: HistoriesSource = None,
    histories: HistoriesFile = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", metavar="FILE", help="CSV or Parquet: pair_id, user_id, objective_id."
        ),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option("--user", help="A user, with an objective.  May be repeated."),
    ] = None,
    objective: ItemObjective = None,
    objective_set: SetObjective = None,
    category: CategoryObjective = None,
    feasibility: FeasibilityFolder = None,
    minimum: MinimumFeasibility = None,
    guidance: Annotated[
        str | None,
        typer.Option(
            help="irn: how much the objective counts.  Like every dial, one value or, "
            "step by step, several with commas."
        ),
    ] = None,
    pace: Annotated[str | None, typer.Option(help="irn: heads for an earlier arrival.")] = None,
    floor: Annotated[
        str | None, typer.Option(help="irn: show only items of the network's own top N.")
    ] = None,
    w_t: Annotated[
        str | None, typer.Option("--w-t", help="irn: weight of the objective in the mask.")
    ] = None,
    k: Annotated[str | None, typer.Option("--k", help="rec2inf, oracle: candidates.")] = None,
    dial: Annotated[
        list[str] | None,
        typer.Option("--dial", metavar="KEY=VALUE", help="Any other dial of the planner."),
    ] = None,
    max_length: Annotated[int, typer.Option(help="M: at most so many items.")] = 20,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the paths: .parquet, .csv or .json."),
    ] = None,
    reasons: Annotated[
        bool,
        typer.Option(
            "--reasons/--no-reasons", help="Say why each item is there; without, it is faster."
        ),
    ] = True,
    preset: Preset = "clean",
    whole_history: WholeHistory = False,
    role: Role = "report",
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    timestamp_column: TimestampColumn = "timestamp",
    data_option: DataOption = None,
    data_dir: DataDir = None,
) -> None:
    """Plan influence paths: for users and an objective, or for a file of pairs.

    Where the model's folder has a feasibility, each objective has one, and users who cannot be led
    there get no path but the reason.
    """
    from influpath.cli.path_files import check_out, write_paths
    from influpath.cli.show import path_table, show
    from influpath.cli.sources import known_histories
    from influpath.planning.algorithm import plan as plan_paths
    from influpath.planning.paths import Paths
    from influpath.planning.reasons import explain
    from influpath.registry import load_model

    if out is not None:
        check_out(out, "paths")
    trained = load_model(model)
    columns = source_options(user_column, item_column, timestamp_column)
    known, learned_from = known_histories(
        trained,
        source,
        histories,
        columns,
        preset=preset,
        data_dir=data_dir_of(context, data_dir),
        data_option=data_option,
        whole=whole_history,
    )
    target = objective_of(objective, objective_set, category, known)
    dials: dict[str, Any] = {"guidance": guidance, "pace": pace, "floor": floor, "w_t": w_t, "k": k}
    dials = {name: value for name, value in dials.items() if value is not None}
    dials |= key_values(dial, "--dial")
    calibrated = feasibility_of(model, feasibility)
    wanted = wanted_pairs(trained, known, pairs, user, target, role, calibrated, minimum)
    chosen = make(trained, learned_from, planner, dials)
    if calibrated is not None:
        calibrated.warn_if_other(chosen.label, chosen.config, max_length)
    planned = plan_paths(chosen, wanted, known, max_length)
    if reasons:
        planned = Paths(explain(trained, wanted, planned, known), planned.outcomes)
    if out is not None:
        write_paths(planned, out, wanted)
        reached = int(planned.outcomes["reached"].sum())
        typer.echo(f"{out}: {said_of(wanted)} by {chosen.label}, {reached} with the objective.")
        return
    for row in wanted.head(SHOWN).iter_rows(named=True):
        show(path_table(known, row, planned, chosen.label))
    if wanted.height > SHOWN:
        typer.echo(f"and {wanted.height - SHOWN} more; write all to a file with --out.")


def said_of(pairs: "pl.DataFrame") -> str:
    """Return how many paths there are, and how many objectives are not reachable."""
    if "reachable" not in pairs.columns or pairs["reachable"].all():
        return f"{pairs.height} path(s)"
    reachable = int(pairs["reachable"].sum())
    return f"{reachable} path(s), {pairs.height - reachable} objective(s) not reachable,"


def make(
    model: "Recommender", dataset: "Dataset", name: str | None, dials: dict[str, str]
) -> "Planner":
    """Build a planner on a model, or on the sequences of a dataset.

    Raises:
        ConfigError: The planner or a dial is unknown.
    """
    from influpath.planning.model_planner import ModelPlanner
    from influpath.planning.parts import PlannerParts
    from influpath.registry import make_planner, planner_class

    kind = (name or ("irn" if model.name == "irn" else "rec2inf")).partition("/")[0]
    chosen = planner_class(kind)
    config = getattr(chosen, "config_class", None)
    there = list(config.model_fields) if config is not None else []
    for dial in dials:
        if dial not in there:
            known = f"it has {', '.join(there)}" if there else "it has none"
            raise ConfigError(f"planner {kind!r} has no dial {dial!r}; {known}.")
    values = {key: text.split(",") if "," in text else text for key, text in dials.items()}
    of_its_own = kind == model.name or not issubclass(chosen, ModelPlanner)
    label = kind if of_its_own else f"{kind}/{model.name}"
    return make_planner(label, PlannerParts({model.name: model}, dataset, model), values)


def wanted_pairs(
    model: "Recommender",
    known: "Dataset",
    pairs: Path | None,
    users: list[str] | None,
    objective: "Objective | None",
    role: str,
    feasibility: "Feasibility | None",
    minimum: float | None,
) -> "pl.DataFrame":
    """Return the pairs to plan for, with the feasibility of each where that is known.

    Raises:
        ConfigError: Neither a file nor users and an objective were given, or both were; or a least
            feasibility without any.
    """
    from influpath.cli.path_files import pairs_of_role
    from influpath.evaluation import read_pairs
    from influpath.planning.aims import aim, rate_pairs
    from influpath.planning.feasibility import MINIMUM

    if minimum is not None and feasibility is None:
        raise ConfigError(
            "--min-feasibility needs a feasibility: make it with `influpath feasibility`, or give "
            "its folder as --feasibility."
        )
    least = MINIMUM if minimum is None else minimum
    if pairs is not None and not users and objective is None:
        read = pairs_of_role(read_pairs(pairs, known), role, pairs)
        return read if feasibility is None else rate_pairs(model, read, known, feasibility, least)
    if pairs is not None or not users or objective is None:
        raise ConfigError(
            "give either --pairs FILE, or both --user ID and --objective ID (or --objective-set "
            "IDS, or --category NAME)."
        )
    ids = [known.users.find(user) for user in users]
    return aim(model, objective, known, feasibility, ids, least)
