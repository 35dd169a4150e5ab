"""``influpath audience``: which users can be led to an objective."""

from pathlib import Path
from typing import Annotated

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
    TimestampColumn,
    UserColumn,
    WholeHistory,
    data_dir_of,
    source_options,
)
from influpath.errors import ConfigError

EXAMPLES = (
    "influpath audience --model runs/demo/models/model-irn-... --data simulated --category Drama",
    "influpath audience --model irn/ --data ml-1m --objective 2571 --out audience.parquet",
    "influpath audience --model irn/ --histories histories.csv --objective-set 17,42 --top 100",
)
# Users printed where no --out is given.
SHOWN = 20


def audience(
    context: typer.Context,
    model: ModelFolder,
    objective: ItemObjective = None,
    objective_set: SetObjective = None,
    category: CategoryObjective = None,
    source: HistoriesSource = None,
    histories: HistoriesFile = None,
    feasibility: FeasibilityFolder = None,
    minimum: MinimumFeasibility = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Only so many users, the first ones.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the users: .parquet, .csv or .json."),
    ] = None,
    preset: Preset = "clean",
    whole_history: WholeHistory = False,
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    timestamp_column: TimestampColumn = "timestamp",
    data_option: DataOption = None,
    data_dir: DataDir = None,
) -> None:
    """Rank users by how feasible it is to lead them to an item, a set of items or a category.

    With --min-feasibility, users below it are left out; without it they are listed, marked as not
    reachable.
    """
    from influpath.cli.path_files import check_out, write_frame
    from influpath.cli.show import audience_table, show
    from influpath.cli.sources import known_histories
    from influpath.planning.audience import audience as rank_users
    from influpath.planning.feasibility import MINIMUM
    from influpath.registry import load_model

    if out is not None:
        check_out(out, "users")
    trained = load_model(model)
    calibrated = feasibility_of(model, feasibility)
    if calibrated is None:
        raise ConfigError(
            f"{model}: holds no feasibility, so that users cannot be ranked; make it with "
            "`influpath feasibility CONFIG.toml`, or give its folder as --feasibility."
        )
    columns = source_options(user_column, item_column, timestamp_column)
    known, _ = known_histories(
        trained,
        source,
        histories,
        columns,
        preset=preset,
        data_dir=data_dir_of(context, data_dir),
        data_option=data_option,
        whole=whole_history,
    )
    wanted = objective_of(objective, objective_set, category, known)
    if wanted is None:
        raise ConfigError("say where to: --objective ID, --objective-set IDS or --category NAME.")
    least = MINIMUM if minimum is None else minimum
    ranked = rank_users(trained, wanted, known, calibrated, minimum=least)
    reachable = int(ranked["reachable"].sum())
    total = ranked.height
    if minimum is not None:
        ranked = ranked.filter("reachable")
    ranked = ranked if top is None else ranked.head(top)
    said = f"{reachable:,} of {total:,} users can be led to {wanted.words(known)}"
    if out is None:
        show(audience_table(known, ranked.head(SHOWN), said))
        if ranked.height > SHOWN:
            typer.echo(f"and {ranked.height - SHOWN:,} more; write all to a file with --out.")
        return
    write_frame(ranked, out)
    typer.echo(f"{out}: {ranked.height:,} user(s); {said}.")
