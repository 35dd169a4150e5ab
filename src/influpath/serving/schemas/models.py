"""Versions of the model."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from influpath.config import FrozenConfig


class ModelIn(FrozenConfig):
    """A model to be registered: a folder below that of the tenant's models."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class Model(FrozenConfig):
    """A version of the model.

    Attributes:
        version: Its name.
        active: Whether new journeys use it.
        journeys: Open journeys that use it.
        fingerprint: SHA-256 over its files.
        dataset: What it was trained on.
        users: How many that has.
        items: How many.
        planners: What it can plan with.
        judge: Whose probabilities the page shows.
        longest: The greatest horizon.
        calibrated: Whether it knows feasibility.
        registered_at: When.
        activated_at: When it last became active.
    """

    version: str
    active: bool
    journeys: int
    fingerprint: str
    dataset: str
    users: int
    items: int
    planners: tuple[str, ...]
    judge: str
    longest: int
    calibrated: bool
    registered_at: AwareDatetime
    activated_at: AwareDatetime | None
