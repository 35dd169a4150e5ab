"""Which campaign wins a user: pure rules over journeys.

Only so many campaigns lead one user at a time: as long as that many have begun, no other begins.
Of those that may go on or begin the one of highest priority wins, at equal priority one that has
begun, then the one whose objective is most feasible, then the one that came first.
"""

from collections.abc import Collection, Sequence

from influpath.serving.campaigns.situation import Leg


def priority(leg: Leg) -> int:
    """Return the priority of a campaign's journey."""
    return leg.terms.priority


def contenders(legs: Sequence[Leg], most: int, tried: Collection[str] = ()) -> list[Leg]:
    """Return the journeys that may have the next item.

    Args:
        legs: Of campaigns that may lead now, in the order of enrolment.
        most: So many lead at a time.
        tried: Journeys that have nothing to show now.
    """
    treated = [leg for leg in legs if leg.status == "open" and leg.arm == "treated"]
    begun = [leg for leg in treated if leg.began_turn is not None]
    # After a pause more may have begun than may lead: those of the highest priority do.
    begun = sorted(begun, key=priority, reverse=True)[:most]
    waiting = [leg for leg in treated if leg.began_turn is None] if len(begun) < most else []
    return [leg for leg in begun + waiting if leg.id not in tried]


def foremost(legs: Sequence[Leg]) -> list[Leg]:
    """Return the journeys of the highest priority."""
    highest = max(map(priority, legs), default=0)
    return [leg for leg in legs if priority(leg) == highest]


def winner(legs: Sequence[Leg]) -> Leg:
    """Return the journey that wins among those of one priority; the first of equal ones."""
    return min(legs, key=lambda leg: (leg.began_turn is None, -(leg.feasibility or 0.0)))
