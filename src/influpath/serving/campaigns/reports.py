"""How a campaign goes: funnel, uplift, users needed, shift of tastes, answers, days.

Whoever was enrolled is counted in the arm that was drawn, led or not: arms stay comparable.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row

from influpath.errors import ModelFileError
from influpath.serving.campaigns import counting
from influpath.serving.campaigns.base import demanded
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import CatalogueView, card
from influpath.serving.campaigns.counting import ARMS, Tally
from influpath.serving.campaigns.managing import Managing
from influpath.serving.effects.shift import shift
from influpath.serving.effects.uplift import Arm, uplift
from influpath.serving.effects.users_needed import users_needed
from influpath.serving.effects.words import count
from influpath.serving.schemas import CampaignReport, Day, FunnelStage, Shift, Uplift, UsersNeeded
from influpath.serving.store import models
from influpath.serving.store.campaigns import Kept

FloatArray = npt.NDArray[np.float64]

# So many users of an arm say how far tastes moved; of more, those enrolled first.
MOST = 5_000
# Before anything is known about arrival without the campaign.
BASELINE = 0.02
STAGES = ("enrolled", "shown an item", "accepted an item", "arrived")


class Reports(Managing):
    """How campaigns go."""

    def report(self, caller: Caller, campaign_id: str) -> CampaignReport:
        """Return how a campaign goes (viewer).

        Raises:
            NotFoundError: There is none.
        """
        caller.must_be("viewer")
        campaign = self.campaign(caller, campaign_id)
        now = self.clock()
        with self.store.reading() as connection:
            kept = self._campaign(connection, caller.tenant, campaign_id)
            arms = counting.tallies(connection, kept, now)
            answers = counting.answers(connection, campaign_id)
            days = counting.days(connection, campaign_id)
            moved = self._shift(connection, caller.tenant, kept)
        changed = uplift_of(arms, kept)
        needed = needed_of(changed, kept, sum(arm.users for arm in arms.values()))
        stages = funnel(arms)
        return CampaignReport(
            campaign=campaign,
            funnel=stages,
            uplift=changed,
            users_needed=needed,
            shift=moved,
            answers=answers,
            days=tuple(Day(day=day, **counts) for day, counts in days),
            words=in_words(kept, stages, changed, needed, moved),
        )

    def _shift(self, connection: Connection, tenant: str, kept: Kept) -> Shift:
        """Return how far tastes moved between categories, before enrolment and since."""
        arms = [counting.first(connection, kept.id, arm, MOST) for arm in ARMS]
        version = demanded(models.active(connection, tenant), tenant)
        try:
            catalogue = self._catalogue(tenant, version)
        except ModelFileError:
            return shift(np.zeros((0, 1, 2)), np.zeros((0, 1, 2)), seed=1)
        counts = [category_counts(connection, catalogue, arm) for arm in arms]
        return shift(counts[0], counts[1], seed=1)


def category_counts(
    connection: Connection, catalogue: CatalogueView, rows: Sequence[Row[Any]]
) -> FloatArray:
    """Return how many items of each category users took before enrolment and since, [U, G, 2]."""
    place = {name: at for at, name in enumerate(catalogue.categories)}
    counts_UG2 = np.zeros((len(rows), max(len(place), 1), 2))
    refs = [row.user_ref for row in rows]
    row_of = {ref: at for at, ref in enumerate(refs)}
    enrolled = {row.user_ref: row.enrolled_turn for row in rows}
    of_item: dict[str, list[int]] = {}

    def add(ref: int, item: str, since: int) -> None:
        if item not in of_item:
            of_item[item] = [
                place[name] for name in card(catalogue, item).categories if name in place
            ]
        counts_UG2[row_of[ref], of_item[item], since] += 1

    for ref, user in counting.names(connection, refs).items():
        for item in catalogue.history(user.user_id) if user.known else ():
            add(ref, item, 0)
    for event in counting.taken(connection, refs):
        add(event.user_ref, event.item, int(event.turn >= enrolled[event.user_ref]))
    return counts_UG2


def funnel(arms: Mapping[str, Tally]) -> tuple[FunnelStage, ...]:
    """Return how many users came how far in each arm."""
    reached = ("users", "shown", "accepted", "arrived")
    return tuple(
        FunnelStage(stage=stage, **{arm: getattr(tally, name) for arm, tally in arms.items()})
        for stage, name in zip(STAGES, reached, strict=True)
    )


def uplift_of(arms: Mapping[str, Tally], kept: Kept) -> Uplift:
    """Return what the campaign changed, by the users whose window is over."""
    pending = sum(tally.users - tally.over for tally in arms.values())
    treated, control = (Arm(arms[name].over, arms[name].in_time) for name in ARMS)
    return uplift(treated, control, pending=pending, holdout=kept.terms.holdout)


def needed_of(changed: Uplift, kept: Kept, enrolled: int) -> UsersNeeded:
    """Return how many users decide; the hold-out says how many arrive anyway, once it can."""
    seen = changed.control.value
    # A few users, none of whom arrived, do not make arrival impossible.
    baseline = BASELINE if not seen or changed.control.n < 30 else seen
    terms = kept.terms
    return users_needed(baseline, terms.least_uplift, terms.holdout, enrolled=enrolled)


def in_words(
    kept: Kept,
    stages: Sequence[FunnelStage],
    changed: Uplift,
    needed: UsersNeeded,
    moved: Shift,
) -> tuple[str, ...]:
    """Return the report in a few sentences."""
    treated, control = stages[0].treated, stages[0].control
    first = (
        f"The campaign {kept.terms.name} leads to {kept.objective_words}. It has met "
        f"{count(treated + control, 'user')}: {treated:,} to be led, {control:,} to compare with."
    )
    return first, changed.words, needed.words, moved.words
