"""Planning while users answer: propose, hear what became of it, propose again.

    session = Session(planner, batch, Sensitivity())
    proposal = session.propose()
    session.respond(proposal.items_B, responses_B)

Everything that a service, the closed loop or a notebook needs between two items is here; the
planner itself only proposes.

Shape suffixes: B rows.
"""

import numpy as np
import numpy.typing as npt
import torch

from influpath.data.sequences import IntArray
from influpath.planning.base import PlanBatch, Planner, Proposal, State
from influpath.planning.responses import Responses, respond
from influpath.planning.sensitivity import Sensitivity


class Session:
    """A batch of users at work with one planner.

    Args:
        planner: Proposes.
        batch: Users, histories and objectives.
        sensitivity: How each user's aggressiveness is learned; None keeps it as the dials say.

    Attributes:
        state: Where the rows stand.
    """

    def __init__(
        self, planner: Planner, batch: PlanBatch, sensitivity: Sensitivity | None = None
    ) -> None:
        self.planner = planner
        self.sensitivity = sensitivity
        with torch.inference_mode():
            self.state: State = planner.start(batch)

    def __len__(self) -> int:
        return len(self.state)

    @property
    def slots_left(self) -> int:
        """Items that may still be shown to each user."""
        return self.state.max_length - self.state.shown

    def propose(self) -> Proposal:
        """Return the next item of each row, 0 where the planner has none or no slot is left."""
        if self.slots_left <= 0 or not len(self):
            rows = len(self)
            return Proposal(np.zeros(rows, np.int64), np.zeros(rows, np.float32))
        with torch.inference_mode():
            return self.planner.step(self.state)

    def respond(self, items_B: IntArray, responses_B: Responses) -> None:
        """Record what became of one slot.

        Args:
            items_B: What was shown: what was proposed, or anything else; 0 for nothing.
            responses_B: What the users did; see ``Response``.
        """
        with torch.inference_mode():
            respond(self.state, items_B, responses_B)
        if self.sensitivity is not None:
            self.state.push_B = self.sensitivity.after(self.state.push_B, responses_B)

    def observe(self, items_B: IntArray) -> None:
        """Record what users took without being shown it; 0 for nothing.  No slot is used."""
        if items_B.any():
            with torch.inference_mode():
                self.state.append(items_B, shown=False)

    def retarget(self, objectives_B: IntArray) -> None:
        """Lead each row to another objective from now on."""
        self.state.retarget(objectives_B)

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Keep some rows, in the given order."""
        with torch.inference_mode():
            self.state.keep(rows)
