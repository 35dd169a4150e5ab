"""Any planner, and the objective in the last slot if it was not taken before.

An offer in the last slot costs next to nothing, whoever makes it.  Beside planners that make it by
themselves (IRN delivers there) this is the others' fair share of it: what is left of a difference
is how ready users are for the objective.

Shape suffixes: B rows, I catalogue items.
"""

from typing import Any

import numpy as np

from influpath.planning.base import Proposal
from influpath.planning.wrapping import WrappingPlanner


class LastOfferPlanner(WrappingPlanner):
    """Shows what another planner shows, and the objective in the last slot where it may be shown.

    Args:
        planner: Plans all other slots.
    """

    name = "last-offer"
    mode = "objective last"

    def step(self, state: Any) -> Proposal:
        """See ``Planner.step``."""
        proposal = super().step(state)
        if state.step < state.max_length:
            return proposal
        barred_B = state.barred_BI.numpy()[np.arange(len(state)), state.objectives_B - 1]
        return Proposal(np.where(barred_B, proposal.items_B, state.objectives_B), proposal.scores_B)
