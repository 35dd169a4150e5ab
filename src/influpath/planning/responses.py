"""What users do with an item that they are shown, and what that leaves in a planner's state.

Shape suffixes: B rows.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from influpath.data.sequences import IntArray
from influpath.planning.base import State


class Response(IntEnum):
    """What became of a slot.

    Attributes:
        NOTHING: Nothing was shown.
        ACCEPTED: The item joins the history.
        REJECTED: The item is never shown again.
        IGNORED: Neither; the item may be shown again after ``REST`` slots.
    """

    NOTHING = 0
    ACCEPTED = 1
    REJECTED = 2
    IGNORED = 3


Responses = npt.NDArray[np.int8]


def respond(state: State, items_B: IntArray, responses_B: Responses) -> None:
    """Record what became of one slot of every row.

    Args:
        state: Where the rows stand.
        items_B: What was shown; 0 for nothing.
        responses_B: What the users did; see ``Response``.
    """
    state.append(np.where(responses_B == Response.ACCEPTED, items_B, 0))
    state.reject(np.where(responses_B == Response.REJECTED, items_B, 0))
    state.rest(np.where(responses_B == Response.IGNORED, items_B, 0))
