"""What is known of a user at the moment when the next item is asked for."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from influpath.planning.base import REST
from influpath.planning.objectives import Objective
from influpath.serving.campaigns.catalogues import CatalogueView
from influpath.serving.engine.asks import Limits, Moment, Person
from influpath.serving.schemas import CampaignIn, Exclusions
from influpath.serving.store.campaigns import Kept
from influpath.serving.store.events import Happened
from influpath.serving.store.glance import Account, OpenProposal

TAKEN = ("accepted", "organic")


@dataclass
class Leg:
    """A journey while the next item is decided; what differs from the store is kept afterwards.

    Attributes:
        id: Of the journey.
        campaign: Whose; None for an own goal.
        goal_id: Of an own goal.
        objective: Where to.
        objective_words: The same in words.
        arm: Whether the user is led, or compared with.
        status: As in ``schemas.Journey``.
        version: Of the model.
        horizon: The most items.
        shown: How many were.
        feasibility: Of the objective, once it was asked for.
        began_turn: The user's turn when the journey began; None before.
        was: Status in the store; "" where the store does not have it yet.
        changed: Whether it differs from the store.
        note: Why it ended.
    """

    id: str
    campaign: Kept | None
    goal_id: str | None
    objective: Objective
    objective_words: str
    arm: str
    status: str
    version: str
    horizon: int
    shown: int = 0
    feasibility: float | None = None
    began_turn: int | None = None
    was: str = ""
    changed: bool = False
    note: str | None = None

    @property
    def new(self) -> bool:
        """Whether the store does not have it yet."""
        return not self.was

    @property
    def terms(self) -> CampaignIn:
        """What the campaign asks for; of a goal, what is usual."""
        if self.campaign is not None:
            return self.campaign.terms
        return CampaignIn(name="goal", objective=self.objective, horizon=self.horizon)

    def end(self, status: str, note: str) -> None:
        """End it."""
        self.status, self.note, self.changed = status, note, True


@dataclass(frozen=True)
class Situation:
    """What is known of a user.

    Attributes:
        tenant: Whose user.
        user_id: As text.
        now: The time.
        revision: The tenant's, when all this was read.
        active: The version for what begins now.
        excluded: By the tenant.
        user: What the store knows of the user.
        proposal: The one that is open.
        campaigns: Of the tenant.
        named: Campaigns with an audience that names this user.
        legs: The user's journeys.
        happened: What the user did, in turn.
    """

    tenant: str
    user_id: str
    now: datetime
    revision: int
    active: str
    excluded: Exclusions
    user: Account
    proposal: OpenProposal | None
    campaigns: tuple[Kept, ...]
    named: frozenset[str] = frozenset()
    legs: list[Leg] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)

    @property
    def own_excluded(self) -> Exclusions:
        """What the user never wants to see."""
        return Exclusions.model_validate(self.user.excluded)


def leg_of(row: Row[Any], campaigns: dict[str, Kept]) -> Leg:
    """Return a journey as the store has it."""
    campaign = campaigns[row.campaign_id] if row.campaign_id is not None else None
    return Leg(
        id=row.id,
        campaign=campaign,
        goal_id=row.goal_id,
        objective=objective_of(row, campaign),
        objective_words=campaign.objective_words if campaign else row.objective_words,
        arm=row.arm,
        status=row.status,
        version=row.version,
        horizon=row.horizon,
        shown=row.shown,
        feasibility=row.feasibility,
        began_turn=row.began_turn,
        was=row.status,
    )


def objective_of(row: Row[Any], campaign: Kept | None) -> Objective:
    """Return where a journey leads: with its campaign, or to the goal that stands beside it."""
    if campaign is not None:
        return campaign.terms.objective
    return Objective.model_validate(row.objective)


def taken(happened: list[Happened], until: int | None = None) -> tuple[str, ...]:
    """Return the items that were taken, in order; only up to a turn where one is given."""
    return tuple(
        each.item
        for each in happened
        if each.kind in TAKEN and (until is None or each.turn <= until)
    )


def person(situation: Situation, happened: list[Happened], until: int | None = None) -> Person:
    """Return whose history is read, as it was at a turn."""
    return Person(situation.user_id, situation.user.known, taken(happened, until))


def moments(
    happened: list[Happened], journey_id: str, began: int, catalogue: CatalogueView
) -> tuple[Moment, ...]:
    """Return what happened since a journey began, as its planner lived through it.

    What was shown by others and taken counts as taken unasked: it used up none of its slots.
    """
    found = []
    for each in happened:
        if each.turn <= began or each.item not in catalogue.items:
            continue
        if each.journey_id == journey_id:
            found.append(Moment(each.item, each.kind))  # type: ignore[arg-type]
        elif each.kind in TAKEN:
            found.append(Moment(each.item, "organic"))
    return tuple(found)


def rejected(happened: list[Happened]) -> set[str]:
    """Return what the user never wants to see again."""
    return {each.item for each in happened if each.kind == "rejected"}


def resting(happened: list[Happened]) -> set[str]:
    """Return what was ignored in the last few answers."""
    answers = [each for each in happened if each.kind != "organic"]
    return {each.item for each in answers[-REST:] if each.kind == "ignored"}


def limits(exclusions: Exclusions, never: set[str], floor: int, catalogue: CatalogueView) -> Limits:
    """Return what may be shown; what the catalogue does not have needs no limit."""
    known = {category.casefold() for category in catalogue.categories}
    items = {str(item) for item in exclusions.items} | never
    return Limits(
        frozenset(item for item in items if item in catalogue.items),
        frozenset(name for name in exclusions.categories if name.casefold() in known),
        floor,
    )
