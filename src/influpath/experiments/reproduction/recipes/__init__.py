"""All recipes, in the paper's order; one file each."""

from collections.abc import Sequence

from influpath.errors import ConfigError
from influpath.experiments.reproduction.config import CORE
from influpath.experiments.reproduction.recipe import Recipe
from influpath.experiments.reproduction.recipes.table_1 import Table1
from influpath.experiments.reproduction.recipes.table_2 import Table2

RECIPES: tuple[Recipe, ...] = (
    Table1(),
    Table2(),
)


def chosen(only: Sequence[str], everything: bool = False) -> list[Recipe]:
    """Return the recipes to make: all of the core, those named, or everything.

    Raises:
        ConfigError: A name is unknown.
    """
    known = {recipe.name: recipe for recipe in RECIPES}
    for name in only:
        if name not in known:
            raise ConfigError(
                f"--only {name}: there is no such recipe; there are {', '.join(known)}."
            )
    if only:
        return [recipe for recipe in RECIPES if recipe.name in only]
    return [recipe for recipe in RECIPES if everything or recipe.group == CORE]
