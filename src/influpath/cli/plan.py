"""``influpath plan``: influence paths from a trained model."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from influpath.cli.options import (
    DataDir,
    DataOption,
    ItemColumn,
    Preset,
    Role,
    TimestampColumn,
    UserColumn,
    WholeHistory,
    data_dir_of,
    find_id,
    histories_of,
    key_values,
    source_options,
)
from influpath.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from influpath.data import Dataset
    from influpath.planning.base import Planner
    from influpath.recommenders.base import Recommender

logger = logging.getLogger("influpath")

EXAMPLES = (
    "influpath plan --model runs/demo/models/model-irn-... --data simulated --user u00001 "
    "--objective i0042 --guidance 4 --pace 3 --floor 50",
    "influpath plan --model irn/ --data ml-1m --pairs pairs.csv --out paths.parquet",
    "influpath plan --model irn/ --histories histories.csv --pairs pairs.csv --out paths.json",
)
# Paths printed where no --out is given.
SHOWN = 10


def plan(
    context: typer.Context,
    model: Annotated[
        Path, typer.Option("--model", metavar="DIR", help="Folder of a trained model.")
    ],
    planner: Annotated[
        str | None,
        typer.Option(
            "--planner",
            help="irn, vanilla, rec2inf, direct, oracle or one of a plugin; by default irn for an "
            "IRN model and rec2inf for another.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--data", metavar="SOURCE", help="Take histories and titles from a dataset."),
    ] = None,
    histories: Annotated[
        Path | None,
        typer.Option(
            "--histories",
            metavar="FILE",
            help="Take histories from a CSV or Parquet file: user_id, item_id, timestamp.",
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", metavar="FILE", help="CSV or Parquet: pair_id, user_id, objective_id."
        ),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="One user, with --objective.")] = None,
    objective: Annotated[
        str | None, typer.Option("--objective", help="The item to lead the user to.")
    ] = None,
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
    preset: Preset = "clean",
    whole_history: WholeHistory = False,
    role: Role = "report",
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    timestamp_column: TimestampColumn = "timestamp",
    data_option: DataOption = None,
    data_dir: DataDir = None,
) -> None:
    """Plan influence paths: for one user and objective, or for a file of pairs."""
    from influpath.cli.path_files import check_out, history_dataset, write_paths
    from influpath.cli.show import path_table, show
    from influpath.data import SOURCES, load_dataset, read_log
    from influpath.planning.algorithm import plan as plan_paths
    from influpath.registry import load_model

    if out is not None:
        check_out(out)
    trained = load_model(model)
    columns = source_options(user_column, item_column, timestamp_column)
    dataset = None
    if source is not None:
        # With --histories, the column names are those of that file.
        own = columns if histories is None or source not in SOURCES else {}
        options = {**own, **key_values(data_option, "--data-option")}
        dataset = load_dataset(source, preset, data_dir_of(context, data_dir), **options)
    if histories is not None:
        known = history_dataset(read_log(str(histories), **columns), trained, dataset)
    elif dataset is not None:
        known = histories_of(dataset, whole_history)
    else:
        raise ConfigError("say whose histories: --data SOURCE or --histories FILE.")
    wanted = wanted_pairs(known, pairs, user, objective, role)
    dials: dict[str, Any] = {"guidance": guidance, "pace": pace, "floor": floor, "w_t": w_t, "k": k}
    dials = {name: value for name, value in dials.items() if value is not None}
    learned_from = known if dataset is None else histories_of(dataset, whole_history)
    chosen = make(trained, learned_from, planner, {**dials, **key_values(dial, "--dial")})
    planned = plan_paths(chosen, wanted, known, max_length)
    if out is not None:
        write_paths(planned, out)
        reached = int(planned.outcomes["reached"].sum())
        typer.echo(
            f"{out}: {wanted.height} path(s) by {chosen.label}, {reached} with the objective."
        )
        return
    for row in wanted.head(SHOWN).iter_rows(named=True):
        show(path_table(known, row, planned, chosen.label))
    if wanted.height > SHOWN:
        typer.echo(f"and {wanted.height - SHOWN} more; write all to a file with --out.")


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
    known: "Dataset", pairs: Path | None, user: str | None, objective: str | None, role: str
) -> "pl.DataFrame":
    """Return the pairs to plan for.

    Raises:
        ConfigError: Neither a file nor one user and one objective was given, or both were.
    """
    import polars as pl

    from influpath.cli.path_files import pairs_of_role
    from influpath.evaluation import read_pairs

    if pairs is not None and user is None and objective is None:
        return pairs_of_role(read_pairs(pairs, known), role, pairs)
    if pairs is not None or user is None or objective is None:
        raise ConfigError("give either --pairs FILE, or both --user ID and --objective ID.")
    return pl.DataFrame(
        {
            "pair_id": [0],
            "user_id": [find_id(known.users, user)],
            "objective_id": [find_id(known.items, objective)],
        }
    )
