"""Paths to look at, and who can be led where; nothing of it is recorded."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from influpath.config import FrozenConfig
from influpath.planning.objectives import Objective
from influpath.serving.schemas.basics import Exclusions, Id, ItemCard, Name, Share


class Answered(FrozenConfig):
    """An item of a path that was tried, and what became of it."""

    item_id: Id
    answer: Literal["accepted", "rejected", "ignored"]


class PlanIn(FrozenConfig):
    """A path to look at; nothing of it is recorded.

    Attributes:
        user_id: Whose history; or
        history: the history itself, oldest first.
        objective: Where to.
        planner: Label; None is the model's own.
        horizon: M.
        aggressiveness: As in a campaign.
        answered: What was shown of the path so far; the answer goes on from there.
        excluded: Never shown.
        floor: As in guardrails.
        frontier: Whether to say what other aggressiveness comes to.
    """

    user_id: Id | None = None
    history: Annotated[tuple[Id, ...], Field(min_length=1, max_length=10_000)] | None = None
    objective: Objective
    planner: Name | None = None
    horizon: int = Field(default=20, ge=1, le=200)
    aggressiveness: float = Field(default=1.0, ge=0, le=10)
    answered: Annotated[tuple[Answered, ...], Field(max_length=200)] = ()
    excluded: Exclusions = Exclusions()
    floor: int = Field(default=0, ge=0, le=1_000_000)
    frontier: bool = False

    @model_validator(mode="after")
    def _has_one_history(self) -> Self:
        if (self.user_id is None) == (self.history is None):
            raise ValueError("give either user_id or history")
        return self


class PlanStep(FrozenConfig):
    """One item of a path; see ``PathStep``."""

    number: int
    item: ItemCard
    is_objective: bool
    acceptance: float
    rank: int
    objective_probability: float
    reason: str
    answer: Literal["accepted", "rejected", "ignored"] | None = None


class PlanFigures(FrozenConfig):
    """What a path comes to, by the judge; see ``PathFigures``."""

    aggressiveness: float
    increase_of_interest: float | None
    log_perplexity: float | None
    worst_step: float | None
    reached: bool
    accepted: bool
    length: int


class Plan(FrozenConfig):
    """A path to look at.

    Attributes:
        history: The last items of the history, oldest first.
        target: The item that it leads to; None where it leads nowhere.
        steps: What is shown.
        figures: What it comes to.
        end_probability: Of the objective, at the end.
        feasibility: Probability that the user accepts the objective within the horizon, led by the
            planner of the campaigns; None of other planners.
        reachable: Whether it is.
        note: Why it is not.
        words: What it comes to, in words.
        planner: Label.
        judge: Whose probabilities.
        model: Version.
        frontier: What other values of aggressiveness come to, from 0 to the service's cap.
        before: What was answered, judged like steps; a rejected item has the number of the one
            that took its place.
    """

    history: tuple[ItemCard, ...]
    target: ItemCard | None
    steps: tuple[PlanStep, ...]
    figures: PlanFigures
    end_probability: float | None
    feasibility: float | None
    reachable: bool
    note: str | None
    words: tuple[str, ...]
    planner: str
    judge: str
    model: str
    frontier: tuple[PlanFigures, ...] = ()
    before: tuple[PlanStep, ...] = ()


class AudienceIn(FrozenConfig):
    """Who can be led to an objective?"""

    objective: Objective
    min_feasibility: Share | None = None
    top: int = Field(default=100, ge=1, le=10_000)


class AudienceMember(FrozenConfig):
    """A user who can be led there."""

    user_id: Id
    target: ItemCard | None
    feasibility: float


class AudienceOut(FrozenConfig):
    """Who can be led there, the most feasible first."""

    members: tuple[AudienceMember, ...]
    reachable: int
    total: int
    words: str
