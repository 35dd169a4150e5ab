"""What the service asks its engine, and what the engine answers.

Plain data that goes between processes: ids are text, as the store keeps them; the engine finds the
catalogue's own ids.  A *version* is the name of a bundle's folder below the folder of bundles, such
as ``default/2026-11-24``.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from influpath.errors import InfluPathError
from influpath.planning.objectives import Objective

if TYPE_CHECKING:
    from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk


class EngineError(InfluPathError):
    """The engine was closed, or cannot keep its processes alive."""


Answer = Literal["accepted", "rejected", "ignored", "organic"]


@dataclass(frozen=True)
class Moment:
    """Something that happened since a journey began.

    Attributes:
        item: Outside id.
        answer: What the user did; "organic" for an item that was taken without being shown.
    """

    item: str
    answer: Answer


@dataclass(frozen=True)
class Limits:
    """What may be shown.

    Attributes:
        excluded_items: Never shown.
        excluded_categories: No item of these is ever shown.
        floor: Only items among the user's so many most probable ones, by the objective-free view of
            the planner's model, may be shown; 0 is no floor.
    """

    excluded_items: frozenset[str] = frozenset()
    excluded_categories: frozenset[str] = frozenset()
    floor: int = 0


@dataclass(frozen=True)
class Person:
    """Whose history is read.

    Attributes:
        user: Outside id; None for nobody in particular (a history that was pasted).
        known: Whether the history that the bundle has of this user counts (not so after erasure).
        since: Items taken later, before the journey began, oldest first.
    """

    user: str | None
    known: bool = True
    since: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepAsk:
    """The next item for a person.

    Attributes:
        version: The bundle.
        person: Whose history.
        moments: What happened since the journey began, in order; replayed exactly.
        objective: Where the journey leads; None asks the plain recommender.
        horizon: M, the most items that are shown.
        aggressiveness: What the planner's own is multiplied by, before what is learned.
        adapts: Whether sensitivity is learned from the moments (``planning/sensitivity.py``).
        most: The greatest aggressiveness, learned or not.
        limits: What may be shown.
    """

    version: str
    person: Person
    moments: tuple[Moment, ...] = ()
    objective: Objective | None = None
    horizon: int = 20
    aggressiveness: float = 1.0
    adapts: bool = True
    most: float = 2.0
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class StepAnswer:
    """The next item.

    Attributes:
        item: Outside id as text; None where nothing can be shown (``note`` says why).
        target: The member of the objective that the journey leads to now; None for plain.
        is_objective: Whether the item fulfils the objective.
        acceptance: p(item | what the user has had), the objective hidden.
        rank: Its rank among what the user has not had, 1 is best.
        aggressiveness: What was in force.
        reason: Why this item, in words.
        note: Why there is none, in words.
    """

    item: str | None
    target: str | None = None
    is_objective: bool = False
    acceptance: float | None = None
    rank: int | None = None
    aggressiveness: float = 1.0
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class RateAsk:
    """How feasible an objective is for a person.

    Attributes:
        version: The bundle.
        person: Whose history.
        objective: Where to.
        minimum: Below it the objective counts as not reachable.
    """

    version: str
    person: Person
    objective: Objective
    minimum: float = 0.01


@dataclass(frozen=True)
class Rating:
    """How feasible an objective is.

    Attributes:
        target: The member that the person can reach best; None where all were had.
        feasibility: Probability of accepted arrival; None where the bundle cannot say.
        reachable: False for a hopeless journey.
        note: Why it is not reachable.
    """

    target: str | None
    feasibility: float | None
    reachable: bool
    note: str | None = None


@dataclass(frozen=True)
class PathAsk:
    """A whole path, nothing of which is recorded.

    Attributes:
        version: The bundle.
        person: Whose history.
        objective: Where to.
        planner: Label of a planner that the bundle can make, such as "irn", "rec2inf", "vanilla".
        horizon: M.
        aggressiveness: What the planner's own is multiplied by.
        moments: What was accepted or rejected of the path so far; the answer goes on from there.
        limits: What may be shown.
        frontier: Values of aggressiveness for which the path's figures are wanted, too.
        minimum: Below this feasibility the objective counts as not reachable.
    """

    version: str
    person: Person
    objective: Objective
    planner: str = "irn"
    horizon: int = 20
    aggressiveness: float = 1.0
    moments: tuple[Moment, ...] = ()
    limits: Limits = field(default_factory=Limits)
    frontier: tuple[float, ...] = ()
    minimum: float = 0.01


@dataclass(frozen=True)
class PathStep:
    """One item of a path.

    Attributes:
        number: 1, 2, ...; items accepted before (``moments``) count.
        item: Outside id.
        is_objective: Whether it fulfils the objective.
        acceptance: The judge's p(item | what came before).
        rank: Its rank by the judge among what the person has not had.
        objective_probability: The judge's p(objective | what came before the item).
        reason: Why this item, in words.
        answer: What became of it; None for what is still to be shown.
    """

    number: int
    item: str
    is_objective: bool
    acceptance: float
    rank: int
    objective_probability: float
    reason: str
    answer: Answer | None = None


@dataclass(frozen=True)
class PathFigures:
    """What a path comes to, by the judge (design section 6, one pair).

    Attributes:
        aggressiveness: With which it was planned.
        increase_of_interest: In nats; None without a step.
        log_perplexity: In nats; None without a step.
        worst_step: In nats; None without a step.
        reached: Whether the objective is shown.
        accepted: Whether it is while among the judge's top 20.
        length: Items.
    """

    aggressiveness: float
    increase_of_interest: float | None
    log_perplexity: float | None
    worst_step: float | None
    reached: bool
    accepted: bool
    length: int


@dataclass(frozen=True)
class PathAnswer:
    """A whole path.

    Attributes:
        target: The member of the objective that it leads to; None where it leads nowhere.
        steps: What is shown; empty where the objective is not reachable.
        figures: What it comes to.
        end_probability: The judge's p(objective) after the whole path, or before it was shown.
        rating: How feasible the objective was.
        planner: Label.
        judge: Name of the recommender behind probabilities and figures.
        frontier: Figures at other values of aggressiveness.
        before: The moments that were asked with, judged like steps, so that the path can be shown
            from its beginning; a rejected item has the number of the one that took its place.
    """

    target: str | None
    steps: tuple[PathStep, ...]
    figures: PathFigures
    end_probability: float | None
    rating: Rating
    planner: str
    judge: str
    frontier: tuple[PathFigures, ...] = ()
    before: tuple[PathStep, ...] = ()


@dataclass(frozen=True)
class AudienceAsk:
    """Who can be led to an objective.

    Attributes:
        version: The bundle.
        objective: Where to.
        minimum: The least feasibility.
        top: At most so many users.
    """

    version: str
    objective: Objective
    minimum: float | None = None
    top: int = 100


@dataclass(frozen=True)
class Member:
    """A user who can be led there: outside id, the best member of the objective, feasibility."""

    user: str
    target: str | None
    feasibility: float


@dataclass(frozen=True)
class AudienceAnswer:
    """Who can be led to an objective, the most feasible first.

    Attributes:
        members: At most as many as were asked for.
        reachable: How many users are, in all.
        total: How many users there are.
    """

    members: tuple[Member, ...]
    reachable: int
    total: int


@dataclass(frozen=True)
class BundleCard:
    """What a bundle is.

    Attributes:
        version: Its name.
        fingerprint: SHA-256 over its files.
        dataset: Name of the data that it was trained on.
        users: How many users that has.
        items: How many items.
        planners: Labels of the planners it can make; the first is the one that campaigns use.
        judge: Name of the judge.
        longest: The greatest horizon that it can plan.
        calibrated: Whether it has a feasibility.
    """

    version: str
    fingerprint: str
    dataset: str
    users: int
    items: int
    planners: tuple[str, ...]
    judge: str
    longest: int
    calibrated: bool


class Engine(Protocol):
    """What plans and judges; safe to call from several threads.

    Errors are those of ``influpath.errors``: ``ModelFileError`` for a bundle that is missing or
    damaged, ``UnknownIdError`` for an item, category or planner that it does not know,
    ``ConfigError`` for a horizon beyond the planner's, ``EngineError`` for an engine that stopped.
    A user that the bundle does not know is no error: history then is ``Person.since`` alone.  Nor
    is an item that such a person, or any user, took unasked and the bundle does not know: it cannot
    be read and is left out, but for the pasted history of nobody (``Person.user`` None).
    """

    def step(self, ask: StepAsk) -> StepAnswer:
        """Return the next item."""

    def rate(self, asks: tuple[RateAsk, ...]) -> tuple[Rating, ...]:
        """Return how feasible objectives are."""

    def begin(self, ask: "BeginAsk") -> "BeginAnswer":
        """Return how feasible journeys are, and the first item of the most feasible.

        The same as rating them, and then stepping; but the history is read once for both.
        """

    def path(self, ask: PathAsk) -> PathAnswer:
        """Return a whole path."""

    def audience(self, ask: AudienceAsk) -> AudienceAnswer:
        """Return who can be led somewhere."""

    def card(self, version: str) -> BundleCard:
        """Return what a bundle is, once it is checked and loaded."""

    def close(self) -> None:
        """Stop; what is asked afterwards fails."""
