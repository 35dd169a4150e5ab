"""All recipes, in the paper's order; one file each."""

from collections.abc import Sequence

from influpath.errors import ConfigError
from influpath.experiments.reproduction.config import CORE, ReproductionConfig
from influpath.experiments.reproduction.recipe import Recipe
from influpath.experiments.reproduction.recipes.ablations import ABLATIONS
from influpath.experiments.reproduction.recipes.figure_6 import Figure6
from influpath.experiments.reproduction.recipes.figure_7 import Figure7
from influpath.experiments.reproduction.recipes.figure_7_retrained import Figure7Retrained
from influpath.experiments.reproduction.recipes.figure_8 import Figure8
from influpath.experiments.reproduction.recipes.figure_9 import Figure9
from influpath.experiments.reproduction.recipes.frontier import FrontierRecipe
from influpath.experiments.reproduction.recipes.rigorous_table import RigorousTable
from influpath.experiments.reproduction.recipes.table_1 import Table1
from influpath.experiments.reproduction.recipes.table_2 import Table2
from influpath.experiments.reproduction.recipes.table_3 import Table3
from influpath.experiments.reproduction.recipes.table_4 import Table4
from influpath.experiments.reproduction.recipes.table_5 import Table5
from influpath.experiments.reproduction.recipes.table_6 import Table6
from influpath.experiments.reproduction.recipes.table_7 import Table7

RECIPES: tuple[Recipe, ...] = (
    Table1(),
    Table2(),
    Table3(),
    Table4(),
    Table5(),
    Table7(),
    Figure6(),
    Figure7(),
    Figure8(),
    Figure9(),
    RigorousTable(),
    FrontierRecipe(),
    Table6(),
    Figure7Retrained(),
    *ABLATIONS,
)


def sharing(recipe: Recipe) -> list[Recipe]:
    """Return the recipes that share a section and a figure, the given one among them."""
    named = {one.name: one for one in RECIPES if one.figure_name == recipe.figure_name}
    return list((named | {recipe.name: recipe}).values())


def chosen(
    only: Sequence[str], everything: bool = False, config: ReproductionConfig | None = None
) -> list[Recipe]:
    """Return the recipes to make: all of the core, those named, or everything.

    The name of a section that several share stands for all of them.

    Args:
        only: Names, none for the core.
        everything: The studies, too.
        config: If given, what it has no settings for is left out, unless it is asked for by its
            own name and so has to say what it lacks.

    Raises:
        ConfigError: A name is unknown.
    """
    known = dict.fromkeys(name for recipe in RECIPES for name in (recipe.name, recipe.figure_name))
    for name in only:
        if name not in known:
            raise ConfigError(
                f"--only {name}: there is no such recipe; there are {', '.join(known)}."
            )
    there = [
        recipe
        for recipe in RECIPES
        if config is None or recipe.name in only or recipe.available(config)
    ]
    if only:
        return [recipe for recipe in there if {recipe.name, recipe.figure_name} & set(only)]
    return [recipe for recipe in there if everything or recipe.group == CORE]
