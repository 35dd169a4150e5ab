"""The users' side of the closed loop: what users do with what they are shown, round by round.

In a round a user, in this order,

1. accepts the item shown with the probability that the user model says; an item that is not
   accepted is ignored with probability ``ignore_share``, else rejected;
2. leaves for good with probability ``leave_base + leave_growth * max(0, c - patience)``, c being
   how many rejections came one after the other (an acceptance ends the row, an ignored item neither
   adds nor ends), unless the objective was accepted;
3. if still there, takes something else on their own with probability ``event_share``: an item that
   they do not have and were not just shown, by what they wanted when the round began.

None of it depends on the planner but through what is shown, and chance is the same for all planners
(``chance.py``).

Shape suffixes: B users still there, R those who take something on their own, I catalogue items.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, NonNegativeInt, PositiveInt

from influpath.config import FrozenConfig
from influpath.data.sequences import IntArray
from influpath.planning.responses import Response, Responses
from influpath.simulation.chance import Chance, Purpose
from influpath.simulation.users import FloatArray, Users

BoolArray = npt.NDArray[np.bool_]


class LoopConfig(FrozenConfig):
    """What users are like beyond their taste.

    Attributes:
        seed: Of all chance.
        rounds: M, the most items that are shown to a user.
        event_share: Probability that a user takes something on their own in a round.
        ignore_share: Share of the items not accepted that are ignored rather than rejected.
        patience: Rejections in a row that cost nothing.
        leave_base: Probability of leaving in any round.
        leave_growth: What every rejection in a row beyond the patience adds to it.
    """

    seed: NonNegativeInt = 1
    rounds: PositiveInt = 20
    event_share: float = Field(default=0.1, ge=0, le=1)
    ignore_share: float = Field(default=0.3, ge=0, le=1)
    patience: NonNegativeInt = 1
    leave_base: float = Field(default=0.005, ge=0, le=1)
    leave_growth: float = Field(default=0.05, ge=0, le=1)


@dataclass(frozen=True, eq=False)
class Answers:
    """What users did in one round.

    Attributes:
        responses_B: See ``Response``.
        acceptance_B: The probability that the item was accepted; NaN where nothing was shown.
        events_B: What users took on their own, item numbers; 0 for nothing.
        arrived_B: The objective was shown and accepted.
        alone_B: The user took the objective on their own.
        left_B: The user left.
    """

    responses_B: Responses
    acceptance_B: FloatArray
    events_B: IntArray
    arrived_B: BoolArray
    alone_B: BoolArray
    left_B: BoolArray

    @property
    def over_B(self) -> BoolArray:
        """Where nothing more will be shown, whatever round it is."""
        return self.arrived_B | self.alone_B | self.left_B


class Audience:
    """Users who are shown one item a round each.

    Args:
        users: Before the first round.
        objectives_B: Item numbers; they say when a user has arrived and nothing else.
        chance: Random numbers of these users.
        config: What users are like.

    Attributes:
        round_B: How many rounds each user has had.
    """

    def __init__(
        self, users: Users, objectives_B: IntArray, chance: Chance, config: LoopConfig
    ) -> None:
        self.users = users
        self.objectives_B = objectives_B
        self.chance = chance
        self.config = config
        self.round_B = np.zeros(len(users), dtype=np.int64)
        self.refused_B = np.zeros(len(users), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.users)

    def show(self, items_B: IntArray) -> Answers:
        """Show each user one item and let the round pass.

        Args:
            items_B: Item numbers that the users do not have; 0 shows nothing.
        """
        self.round_B = self.round_B + 1
        shown_B = items_B > 0
        acceptance_B = np.where(shown_B, self.users.acceptance(items_B), np.nan)
        # What users want when the round begins decides what they take on their own.
        wanted_BI = self.users.log_probs()
        accepted_B = shown_B & (self._draw(Purpose.ACCEPT) < acceptance_B)
        ignored_B = self._draw(Purpose.IGNORE) < self.config.ignore_share
        responses_B = np.full(len(self), Response.REJECTED, dtype=np.int8)
        responses_B[ignored_B] = Response.IGNORED
        responses_B[accepted_B] = Response.ACCEPTED
        responses_B[~shown_B] = Response.NOTHING
        self.refused_B = self.refused_B + (responses_B == Response.REJECTED)
        self.refused_B[accepted_B] = 0
        arrived_B = accepted_B & (items_B == self.objectives_B)
        left_B = ~arrived_B & (self._draw(Purpose.LEAVE) < self.leaving())
        self.users.take(np.where(accepted_B, items_B, 0))
        events_B = self._events(wanted_BI, items_B, ~arrived_B & ~left_B)
        self.users.take(events_B)
        alone_B = (events_B == self.objectives_B) & (events_B > 0)
        return Answers(responses_B, acceptance_B, events_B, arrived_B, alone_B, left_B)

    def leaving(self) -> FloatArray:
        """Return the probability that each user leaves now, [B]."""
        config = self.config
        beyond_B = np.maximum(0, self.refused_B - config.patience)
        return np.minimum(1.0, config.leave_base + config.leave_growth * beyond_B)

    def keep(self, rows: IntArray) -> None:
        """Keep some rows, in the given order."""
        self.users.keep(rows)
        self.chance = Chance(self.chance.keys_B[rows])
        self.objectives_B = self.objectives_B[rows]
        self.round_B, self.refused_B = self.round_B[rows], self.refused_B[rows]

    def replace(self, rows: IntArray, other: "Audience") -> None:
        """Let another audience take the places of some rows."""
        self.users.replace(rows, other.users)
        self.chance.keys_B[rows] = other.chance.keys_B
        self.objectives_B[rows] = other.objectives_B
        self.round_B[rows], self.refused_B[rows] = other.round_B, other.refused_B

    def _draw(self, purpose: Purpose) -> FloatArray:
        return self.chance.uniform(self.round_B, purpose)

    def _events(self, wanted_BI: torch.Tensor, items_B: IntArray, there_B: BoolArray) -> IntArray:
        """Return what users take on their own, 0 for nothing; they do not have it yet."""
        happens_B = there_B & (self._draw(Purpose.EVENT) < self.config.event_share)
        rows = np.flatnonzero(happens_B)
        events_B = np.zeros(len(self), dtype=np.int64)
        if not len(rows):
            return events_B
        index = torch.from_numpy(rows)
        weight_RI = wanted_BI[index].double().exp().masked_fill(self.users.taken_BI[index], 0.0)
        shown_R = np.flatnonzero(items_B[rows])
        weight_RI[torch.from_numpy(shown_R), torch.from_numpy(items_B[rows][shown_R] - 1)] = 0.0
        cumulated_RI = weight_RI.cumsum(dim=1).numpy()
        total_R = cumulated_RI[:, -1]
        # Inverse of the cumulated distribution; a draw rounded up to the total would miss it.
        drawn_R = self._draw(Purpose.EVENT_ITEM)[rows] * total_R
        drawn_R = np.minimum(drawn_R, np.nextafter(total_R, 0.0))
        column_R = (cumulated_RI <= drawn_R[:, None]).sum(axis=1)
        # A user who has everything takes nothing.
        events_B[rows] = np.where(total_R > 0, column_R + 1, 0)
        return events_B
