"""What goes in and out of the service, as JSON: one model per thing, for HTTP, page and tests.

Ids of users and items are the platform's own, text or whole numbers.  Times are UTC.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from influpath.config import FrozenConfig
from influpath.planning.objectives import Objective

# Text ids are bounded so that nobody stores a novel; whole numbers by what databases hold.
IdText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Id = Annotated[int, Field(strict=True, ge=0, lt=2**63)] | IdText
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Ids = Annotated[tuple[Id, ...], Field(max_length=10_000)]
Names = Annotated[tuple[Name, ...], Field(max_length=1_000)]
Share = Annotated[float, Field(ge=0, le=1)]

Role = Literal["admin", "service", "viewer"]
CampaignStatus = Literal["running", "paused", "ended"]
Source = Literal["campaign", "goal", "plain"]


class ItemCard(FrozenConfig):
    """An item as people know it."""

    id: Id
    title: str
    categories: tuple[str, ...] = ()


class Exclusions(FrozenConfig):
    """Items and categories that are never shown."""

    items: Ids = ()
    categories: Names = ()


class Guardrails(FrozenConfig):
    """What a campaign may not do.

    Attributes:
        floor: Every step is among the user's so many most probable items; 0 is no floor.
        min_feasibility: Users below it are not led at all.
        excluded: Never shown by this campaign.
        adapts: Whether the campaign pushes less after rejections (and more after acceptances).
    """

    floor: int = Field(default=100, ge=0, le=1_000_000)
    min_feasibility: Share = 0.01
    excluded: Exclusions = Exclusions()
    adapts: bool = True


class Audience(FrozenConfig):
    """Who is led.

    Attributes:
        kind: Everyone, or the users named.
        users: For kind "users".
    """

    kind: Literal["everyone", "users"] = "everyone"
    users: Annotated[tuple[Id, ...], Field(max_length=100_000)] = ()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "users") != bool(self.users):
            raise ValueError("an audience of kind 'users' names them, and one of 'everyone' none")
        return self


class CampaignIn(FrozenConfig):
    """A campaign to be created.

    Attributes:
        name: For people.
        objective: Where users are led.
        audience: Who is led.
        horizon: The most items shown to a user.
        aggressiveness: How hard it pushes: 1 is as the planner was tuned, 0 not at all.
        priority: The campaign with the highest wins a user; then the most feasible one.
        holdout: Share of users who get the plain recommender, to compare with.
        window_days: How long after enrolment a user's arrival counts.
        least_uplift: The smallest difference in arrival worth knowing, for the number of users.
        starts_at: From when; None is now.
        ends_at: Until when; None is until it is ended.
        guardrails: What it may not do.
    """

    name: Name
    objective: Objective
    audience: Audience = Audience()
    horizon: int = Field(default=20, ge=1, le=200)
    aggressiveness: float = Field(default=1.0, ge=0, le=10)
    priority: int = Field(default=0, ge=0, le=100)
    holdout: float = Field(default=0.1, ge=0, le=0.9)
    window_days: float = Field(default=14, gt=0, le=365)
    least_uplift: float = Field(default=0.05, gt=0, lt=1)
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    guardrails: Guardrails = Guardrails()

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("a campaign ends after it starts")
        return self


class CampaignChange(FrozenConfig):
    """What may be changed of a campaign later; what is not given stays."""

    status: CampaignStatus | None = None
    priority: int | None = Field(default=None, ge=0, le=100)
    aggressiveness: float | None = Field(default=None, ge=0, le=10)
    ends_at: AwareDatetime | None = None


class Campaign(CampaignIn):
    """A campaign; ``objective_words`` is its objective as people read it."""

    id: str
    status: CampaignStatus
    objective_words: str
    created_at: AwareDatetime


class NextIn(FrozenConfig):
    """Who wants something to see."""

    user_id: Id


class Next(FrozenConfig):
    """What to show a user next; the same until feedback on it arrives.

    Attributes:
        proposal_id: Named in feedback.
        user_id: Who.
        item: What; None where there is nothing to show (``note`` says why).
        source: A campaign, a goal that the user set, or the plain recommender.
        campaign_id: Of a campaign's.
        goal_id: Of a goal's.
        step: Which item of the journey it is; None for plain ones.
        horizon: Of how many at most.
        is_objective: Whether it fulfils the objective.
        acceptance: How probable the model finds that the user would pick it by itself.
        rank: Its place among all items for this user, 1 is the most probable.
        reason: Why, in words.
        note: Why there is none.
        model: Version of the model.
    """

    proposal_id: str
    user_id: Id
    item: ItemCard | None
    source: Source
    campaign_id: str | None = None
    goal_id: str | None = None
    step: int | None = None
    horizon: int | None = None
    is_objective: bool = False
    acceptance: float | None = None
    rank: int | None = None
    reason: str | None = None
    note: str | None = None
    model: str


class Event(FrozenConfig):
    """What a user did.

    Attributes:
        event_id: The platform's; the same one again is recorded once.
        user_id: Who.
        kind: An answer to a proposal, or "organic": the user took an item without being shown it.
        item_id: Of an organic event; of an answer it may be left out.
        proposal_id: Of an answer.
        at: When; by default when it arrives.
    """

    event_id: IdText
    user_id: Id
    kind: Literal["accepted", "rejected", "ignored", "organic"]
    item_id: Id | None = None
    proposal_id: IdText | None = None
    at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "organic" and (self.item_id is None or self.proposal_id is not None):
            raise ValueError("an organic event names its item_id and no proposal_id")
        if self.kind != "organic" and self.proposal_id is None:
            raise ValueError(
                f"an event of kind {self.kind!r} names the proposal_id that it answers"
            )
        return self


class FeedbackIn(FrozenConfig):
    """What users did, oldest first; all of it is recorded, or none."""

    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=1_000)]


class Recorded(FrozenConfig):
    """What became of one event.

    Attributes:
        event_id: The platform's.
        status: Recorded; there already; or the proposal had been answered by another event before
            (then nothing changes).
    """

    event_id: str
    status: Literal["recorded", "duplicate", "answered_before"]


class Feedback(FrozenConfig):
    """What became of events, in their order; they are on disk now."""

    results: tuple[Recorded, ...]


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
        feasibility: Probability that the user accepts the objective within the horizon.
        reachable: Whether it is.
        note: Why it is not.
        words: What it comes to, in words.
        planner: Label.
        judge: Whose probabilities.
        model: Version.
        frontier: What other values of aggressiveness come to.
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


class AuditEntry(FrozenConfig):
    """Who did what, when, why, with which model.

    Attributes:
        number: Counts up.
        at: When.
        actor: Name of the key, or "user", "system".
        action: Such as "campaign.created", "proposal.shown", "user.opted_out".
        subject: Stands for the user; means nothing once the user's data is deleted.
        campaign_id: Where there is one.
        model: Version.
        details: As recorded.
        words: The same in plain language.
    """

    number: int
    at: AwareDatetime
    actor: str
    action: str
    subject: str | None
    campaign_id: str | None
    model: str | None
    details: dict[str, object]
    words: str


class AuditPage(FrozenConfig):
    """Entries, oldest first; ``after`` of the next page is ``last``."""

    entries: tuple[AuditEntry, ...]
    last: int | None


class Deleted(FrozenConfig):
    """What was deleted of a user."""

    user_id: Id
    events: int
    proposals: int
    journeys: int


class Estimate(FrozenConfig):
    """A figure with its interval; None where nothing is known yet."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Uplift(FrozenConfig):
    """What a campaign changed.

    Attributes:
        treated: Arrival of users who were led; only those whose window is over count.
        control: Arrival of the hold-out.
        difference: The uplift.
        level: Of the intervals, such as 0.95; they hold however often one looks.
        pending: Users whose window is not over.
        decided: Whether the interval excludes 0.
        words: In words.
    """

    treated: Estimate
    control: Estimate
    difference: Estimate
    level: float
    pending: int
    decided: bool
    words: str


class UsersNeeded(FrozenConfig):
    """How many users decide about an uplift.

    Attributes:
        users: In both groups together; None where no number decides (no hold-out).
        baseline: Assumed arrival without the campaign.
        least_uplift: The difference that is to be seen.
        power: With which probability.
        enrolled: How many there are.
        words: In words.
    """

    users: int | None
    baseline: float
    least_uplift: float
    power: float
    enrolled: int
    words: str


class Shift(FrozenConfig):
    """How far tastes moved, in bits of Jensen-Shannon divergence between categories taken.

    Attributes:
        treated: Of users who were led.
        control: Of the hold-out: the natural drift.
        induced: The difference.
        words: In words.
    """

    treated: Estimate
    control: Estimate
    induced: Estimate
    words: str


class FunnelStage(FrozenConfig):
    """How many users came so far."""

    stage: str
    treated: int
    control: int


class Day(FrozenConfig):
    """What happened on a day (UTC)."""

    day: datetime
    shown: int
    accepted: int
    rejected: int
    arrived: int


class CampaignReport(FrozenConfig):
    """How a campaign goes.

    Attributes:
        campaign: Which.
        funnel: From enrolment to arrival.
        uplift: What it changed.
        users_needed: How many users decide.
        shift: How far tastes moved.
        answers: Shown items by what became of them: accepted, rejected, ignored, open.
        days: Day by day.
        words: The report in a few sentences.
    """

    campaign: Campaign
    funnel: tuple[FunnelStage, ...]
    uplift: Uplift
    users_needed: UsersNeeded
    shift: Shift
    answers: dict[str, int]
    days: tuple[Day, ...]
    words: tuple[str, ...]


class Problem(FrozenConfig):
    """An error: one sentence that says what is wrong, where, and what to do."""

    detail: str


class Page(FrozenConfig):
    """Found items or users."""

    items: tuple[ItemCard, ...] = ()
    users: tuple[Id, ...] = ()
    total: int
