"""What may be asked of a campaign or goal."""

from influpath.errors import ConfigError
from influpath.planning.objectives import Objective
from influpath.serving.campaigns.catalogues import CatalogueView, excludes, together
from influpath.serving.schemas import Exclusions


def check_objective(
    catalogue: CatalogueView, objective: Objective, *exclusions: Exclusions
) -> None:
    """Check that an objective can be led to.

    Raises:
        UnknownIdError: The catalogue has no such item or category.
        ConfigError: All of its items are excluded.
    """
    members = catalogue.members(objective)
    everything = together(*exclusions)
    if everything != Exclusions() and all(
        excludes(catalogue, everything, item) for item in members
    ):
        raise ConfigError(
            "objective: all of its items are excluded; allow one, or choose another objective."
        )
