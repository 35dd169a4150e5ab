"""Options of commands that lead users to an objective: which one, how feasible it must be."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from influpath.errors import ConfigError

if TYPE_CHECKING:
    from influpath.data import Dataset
    from influpath.planning.feasibility import Feasibility
    from influpath.planning.objectives import Objective

ItemObjective = Annotated[
    str | None, typer.Option("--objective", metavar="ID", help="The item to lead users to.")
]
SetObjective = Annotated[
    str | None,
    typer.Option(
        "--objective-set",
        metavar="ID,ID,...",
        help="Any of these items: each user is led to the one that is most feasible.",
    ),
]
CategoryObjective = Annotated[
    str | None,
    typer.Option("--category", metavar="NAME", help="Any item of a genre or tag, likewise."),
]
FeasibilityFolder = Annotated[
    Path | None,
    typer.Option(
        "--feasibility",
        metavar="DIR",
        help="Where `influpath feasibility` wrote; the model's own folder where not given.",
    ),
]
MinimumFeasibility = Annotated[
    float | None,
    typer.Option(
        "--min-feasibility",
        min=0,
        max=1,
        help="Objectives that are less feasible count as not reachable; 0.01 where not given.",
    ),
]


def objective_of(
    item: str | None, items: str | None, category: str | None, known: "Dataset"
) -> "Objective | None":
    """Return the objective that the options name, None where they name none.

    Raises:
        ConfigError: They name several.
        UnknownIdError: An item or the category is not in the data.
    """
    from influpath.planning.objectives import Objective

    given = [option for option in (item, items, category) if option is not None]
    if len(given) > 1:
        raise ConfigError("give one of --objective, --objective-set and --category.")
    if item is not None:
        return Objective.item(known.find_item(item.strip()))
    if items is not None:
        return Objective.of_items(known.find_item(each) for each in separate(items))
    return None if category is None else Objective.category(category)


def separate(text: str) -> Iterable[str]:
    """Return the parts of a text with commas.

    Raises:
        ConfigError: There are none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigError("--objective-set names no item; give ids with commas between them.")
    return parts


def feasibility_of(model: Path, folder: Path | None) -> "Feasibility | None":
    """Return the feasibility in a folder, or in the model's own; None where that has none."""
    from influpath.planning.feasibility import ABOUT, Feasibility

    if folder is None and not (model / ABOUT).is_file():
        return None
    return Feasibility.load(folder or model)
