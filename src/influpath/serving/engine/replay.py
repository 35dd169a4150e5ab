"""Bringing a session to where a journey stands, by living through what happened again.

Shape suffixes: B rows.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from influpath.data.sequences import IntArray
from influpath.planning.responses import Response
from influpath.planning.session import Session
from influpath.serving.engine.asks import Moment
from influpath.serving.engine.catalogue import TextIds

SHOWN = {
    "accepted": Response.ACCEPTED,
    "rejected": Response.REJECTED,
    "ignored": Response.IGNORED,
}

# What happened of one row: in each slot an item and the response to it, before every slot and
# after the last the items that were taken unasked.
Slots = list[tuple[int, Response]]
Organic = list[list[int]]


def shown_slots(moments: Sequence[Moment]) -> int:
    """Return how many items were shown."""
    return sum(moment.answer != "organic" for moment in moments)


def in_slots(moments: Sequence[Moment], items: TextIds) -> tuple[Slots, Organic]:
    """Return moments slot by slot, in the catalogue's numbers.

    What was taken unasked that the bundle has no item for is left out: it cannot be read.

    Raises:
        UnknownIdError: An item that was shown is not in the catalogue.
    """
    slots: Slots = []
    organic: Organic = [[]]
    for moment in moments:
        if moment.answer != "organic":
            slots.append((items.number(moment.item), SHOWN[moment.answer]))
            organic.append([])
        elif moment.item in items:
            organic[-1].append(items.number(moment.item))
    return slots, organic


def replay(session: Session, rows: Sequence[tuple[Slots, Organic]]) -> None:
    """Let a fresh session live through what happened.

    Args:
        session: One row for each.
        rows: What happened; all of them used the same number of slots.
    """
    if not rows:
        return
    for slot in range(len(rows[0][0]) + 1):
        for taken in zip_longest(*(organic[slot] for _, organic in rows), fillvalue=0):
            session.observe(numbers(taken))
        if slot < len(rows[0][0]):
            shown = numbers([slots[slot][0] for slots, _ in rows])
            responses = [slots[slot][1] for slots, _ in rows]
            session.respond(shown, np.array(responses, dtype=np.int8))


def numbers(items: Sequence[int]) -> IntArray:
    """Return item numbers as an array, int64 [B]."""
    return np.array(items, dtype=np.int64)
