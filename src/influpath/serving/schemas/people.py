"""What the service knows of a user, and what users decide themselves."""

from typing import Literal

from pydantic import AwareDatetime, Field

from influpath.config import FrozenConfig
from influpath.planning.objectives import Objective
from influpath.serving.schemas.basics import Exclusions, Id, ItemCard


class GoalIn(FrozenConfig):
    """A goal that users set for themselves; it comes before every campaign."""

    objective: Objective
    horizon: int = Field(default=20, ge=1, le=200)


class Goal(GoalIn):
    """A goal and where it stands."""

    id: str
    objective_words: str
    status: Literal["open", "arrived", "given_up", "over"]
    created_at: AwareDatetime


class OptOutIn(FrozenConfig):
    """Whether a user is to be left alone by campaigns."""

    opted_out: bool


class Journey(FrozenConfig):
    """A user on the way to an objective."""

    id: str
    campaign_id: str | None
    goal_id: str | None
    arm: Literal["treated", "control"]
    status: Literal["open", "arrived", "over", "stopped"]
    objective_words: str
    shown: int
    horizon: int
    feasibility: float | None
    model: str
    started_at: AwareDatetime


class User(FrozenConfig):
    """What the service knows of a user."""

    user_id: Id
    opted_out: bool
    excluded: Exclusions
    goals: tuple[Goal, ...]
    journeys: tuple[Journey, ...]
    recent: tuple[ItemCard, ...]


class Deleted(FrozenConfig):
    """What was deleted of a user."""

    user_id: Id
    events: int
    proposals: int
    journeys: int
