"""How hard a user may be pushed, learned from what the user accepts and rejects.

Every user has a factor f, 1 at first, that multiplies the planner's aggressiveness
(``State.push_B``).  After each answer

    log f += rate * (accepted - target),    lower <= f <= upper,

with accepted = 1 for an item that was accepted and 0 for one that was rejected.  So a rejection
lowers f and an acceptance raises it, and f stands still where the user accepts the share ``target``
of what is answered: the stochastic approximation of Robbins and Monro (1951), with a constant step,
since tastes move.  What was ignored says nothing of either kind and changes nothing.

Shape suffixes: B rows.
"""

from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from influpath.config import FrozenConfig
from influpath.planning.responses import Response, Responses

FloatArray = npt.NDArray[np.float64]


class Sensitivity(FrozenConfig):
    """How the factor is learned.

    Attributes:
        target: The share of shown items that a user is to accept.
        rate: How much one answer says; 0 learns nothing.
        lower: The least factor.
        upper: The greatest factor; 1 never pushes harder than the dials say.
    """

    target: float = Field(default=0.6, gt=0, lt=1)
    rate: float = Field(default=0.4, ge=0, le=10)
    lower: float = Field(default=0.25, gt=0, le=1)
    upper: float = Field(default=2.0, ge=1, le=100)

    @model_validator(mode="after")
    def _learns_both_ways(self) -> Self:
        if self.lower == self.upper and self.rate:
            raise ValueError("lower and upper leave no room to learn; set rate = 0")
        return self

    def after(self, push_B: FloatArray, responses_B: Responses) -> FloatArray:
        """Return the factors after one answer of every user."""
        accepted_B = responses_B == Response.ACCEPTED
        answered_B = accepted_B | (responses_B == Response.REJECTED)
        factor_B = np.exp(self.rate * (accepted_B - self.target))
        moved_B = np.clip(push_B * factor_B, self.lower, self.upper)
        return np.where(answered_B, moved_B, push_B)
