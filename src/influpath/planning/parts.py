"""What planners are built from: fitted models, the training data and the judge."""

from collections.abc import Mapping
from dataclasses import dataclass

from influpath.data.dataset import Dataset
from influpath.errors import ConfigError
from influpath.recommenders.base import Recommender


@dataclass(frozen=True, eq=False)
class PlannerParts:
    """Everything at hand; a planner's ``build`` takes what it needs.

    Attributes:
        models: Fitted models by name.
        dataset: The training part: its catalogue, and sequences that planners may learn from.
        judge: For the oracle only.
    """

    models: Mapping[str, Recommender]
    dataset: Dataset
    judge: Recommender | None = None

    def model(self, name: str, label: str) -> Recommender:
        """Return a model by name.

        Args:
            name: Its name.
            label: The planner that asks, for the error.

        Raises:
            ConfigError: There is no such model.
        """
        found = self.models.get(name)
        if found is None:
            raise ConfigError(
                f"planner {label!r} needs a model named {name!r}; the models at hand are "
                f"{', '.join(sorted(self.models)) or 'none'}."
            )
        return found
