"""The core interface of planning: ``start`` a batch, propose by ``step``, tell the state what came.

A planner proposes; whoever runs it says what became of it.  That way one interface serves Algorithm
1 of the paper (everything is accepted), users who reject or ignore what they are shown
(``planning/responses.py``) and events that come in between (``State.append(..., shown=False)``).

Rows go on in rounds, all at once: an item that is rejected or ignored uses up a slot of the path as
one that is accepted does, so that M bounds how often a user is bothered.

Shape suffixes: B rows still planned, I catalogue items (column c is item number c + 1), N last
slots in which items rest.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError
from influpath.planning.growing import Growing
from influpath.planning.parts import PlannerParts

# Slots of the path for which an item that a user ignored is not shown again.
REST = 3
# One number per row and catalogue item, for all rows that are planned at once.
STEP_BYTES = 128 << 20


@dataclass(frozen=True, eq=False)
class PlanBatch:
    """What a planner is asked: rows of user, history and objective.

    Attributes:
        users_B: User rows of the planner's model; -1 where unknown.
        histories: Item numbers, oldest first.
        objectives_B: Objective item numbers.
        max_length: M, the most items to show.
        items: Catalogue size.
    """

    users_B: IntArray
    histories: Sequences
    objectives_B: IntArray
    max_length: int
    items: int


@dataclass(eq=False)
class State:
    """Where each row stands; a planner's own state derives from this.

    Attributes:
        users_B: User rows, -1 where unknown.
        objectives_B: Objective item numbers.
        growing: History, items taken and organic events so far; see ``known``.
        barred_BI: True where an item may not be shown: seen, shown, rejected, or at rest.
        max_length: M.
        push_B: What each row's aggressiveness is multiplied by: 1 is as the dials say, 0 is not at
            all.  Each planner says which of its dials that is.
        resting_BN: Items that were ignored in the last slots, 0 for none; barred meanwhile.
        shown: Number of slots used so far (the same for every row).
    """

    users_B: IntArray
    objectives_B: IntArray
    growing: Growing
    barred_BI: Tensor
    max_length: int
    push_B: npt.NDArray[np.float64]
    resting_BN: IntArray
    shown: int = 0

    @classmethod
    def begin(cls, batch: PlanBatch) -> "State":
        """Return the state before the first step."""
        rows = len(batch.objectives_B)
        return cls(
            users_B=batch.users_B,
            objectives_B=batch.objectives_B,
            growing=Growing(batch.histories),
            barred_BI=seen_items(batch.histories, batch.items),
            max_length=batch.max_length,
            push_B=np.ones(rows),
            resting_BN=np.zeros((rows, REST), dtype=np.int64),
        )

    @property
    def known(self) -> Sequences:
        """History, items taken and organic events so far, oldest first."""
        return self.growing.sequences

    @property
    def step(self) -> int:
        """The number k = 1..M of the item that is chosen next."""
        return self.shown + 1

    def __len__(self) -> int:
        return len(self.objectives_B)

    def append(self, items_B: IntArray, shown: bool = True) -> None:
        """Record at most one item per row, and that a slot was used.

        Args:
            items_B: Item numbers; 0 where a row takes none.
            shown: True for what became of the slot; False for an event of the user's own, which
                joins the history but takes no slot.
        """
        if items_B.any():
            self.growing.append(items_B)
            self.reject(items_B)
        if shown:
            self.shown += 1
            if self.resting_BN.any():
                self._bar(self.resting_BN[:, 0], False)
                self.resting_BN = np.pad(self.resting_BN[:, 1:], ((0, 0), (0, 1)))

    def reject(self, items_B: IntArray) -> None:
        """Bar one item per row from ever being proposed (again); 0 bars nothing in that row."""
        if not items_B.any():
            return
        self._bar(items_B, True)
        self.resting_BN = np.where(self.resting_BN == items_B[:, None], 0, self.resting_BN)

    def rest(self, items_B: IntArray) -> None:
        """Bar one item per row for the next ``REST`` slots; 0 bars nothing in that row.

        What is barred for good, such as an item that was taken unasked before, stays so.
        """
        if not items_B.any():
            return
        again_BN = (self.resting_BN == items_B[:, None]) & (self.resting_BN > 0)
        barred_B = self.barred_BI.numpy()[np.arange(len(self)), np.maximum(items_B, 1) - 1]
        items_B = np.where(barred_B & ~again_BN.any(1), 0, items_B)
        self._bar(items_B, True)
        self.resting_BN = np.where(again_BN, 0, self.resting_BN)
        self.resting_BN[:, -1] = np.where(items_B > 0, items_B, self.resting_BN[:, -1])

    def retarget(self, objectives_B: IntArray) -> None:
        """Lead each row to another objective from now on; planners that hold the old one extend it.

        Args:
            objectives_B: Item numbers; a row whose objective stays keeps what was computed.
        """
        self.objectives_B = objectives_B

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Keep some rows, in the given order; planners with a cache extend this."""
        self.users_B, self.objectives_B = self.users_B[rows], self.objectives_B[rows]
        self.growing.take(rows)
        self.barred_BI = self.barred_BI[torch.from_numpy(rows)]
        self.push_B, self.resting_BN = self.push_B[rows], self.resting_BN[rows]

    def _bar(self, items_B: IntArray, barred: bool) -> None:
        rows = np.flatnonzero(items_B)
        # The same memory; NumPy writes few places sooner than torch.
        self.barred_BI.numpy()[rows, items_B[rows] - 1] = barred


@dataclass(frozen=True, eq=False)
class Proposal:
    """The next item of each row; 0 where the planner has none (the path ends there).

    Attributes:
        items_B: Item numbers.
        scores_B: What the planner ranked by (its meaning is the planner's).
    """

    items_B: IntArray
    scores_B: npt.NDArray[np.float32]


class Planner(ABC):
    """Picks the next path item: ``F(s_h, i_t, s_p)`` of Algorithm 1, for a batch of rows."""

    name: ClassVar[str]
    config_class: ClassVar[type[FrozenConfig]]
    config: FrozenConfig

    @classmethod
    def build(cls, parts: PlannerParts, model_name: str | None, dials: Mapping[str, Any]) -> Self:
        """Make a planner of this class, by default as ``cls(parts.dataset, config)``.

        Override it where the constructor takes something else.

        Args:
            parts: What there is to build from.
            model_name: "sasrec" of the label "rec2inf/sasrec"; None where the label has none.
            dials: Settings of the planner.

        Raises:
            ConfigError: A part is missing or not wanted, or a dial is wrong.
        """
        cls.refuse_model(model_name)
        chosen: Any = cls
        planner: Self = chosen(parts.dataset, cls.parse_dials(dials))
        return planner

    @classmethod
    def parse_dials(cls, dials: Mapping[str, Any]) -> Any:
        """Return dials as this planner's configuration.

        Raises:
            ConfigError: A dial is unknown or out of range.
        """
        return cls.config_class.parse(dict(dials), f"dials of {cls.name}")

    @classmethod
    def refuse_model(cls, model_name: str | None) -> None:
        """Check that the label of a planner without a model names none.

        Raises:
            ConfigError: It does.
        """
        if model_name is not None:
            raise ConfigError(
                f"planner {cls.name!r} stands on no model; write {cls.name!r}, not "
                f"'{cls.name}/{model_name}'."
            )

    @property
    @abstractmethod
    def items(self) -> IdMap:
        """The catalogue the planner numbers items by."""

    @property
    def users(self) -> IdMap | None:
        """The users its model knows, or None where users play no part."""
        return None

    @property
    def label(self) -> str:
        """The name in tables, such as ``rec2inf/sasrec``."""
        return self.name

    @property
    def parallel(self) -> bool:
        """Whether batches may be planned in threads.

        For that, ``step`` changes nothing but the state, and spends its time in torch.
        """
        return False

    def rows_at_once(self, threads: int = 1) -> int:
        """Return how many rows to plan together so that memory is bounded whatever the catalogue.

        A step holds several numbers per row and catalogue item.

        Args:
            threads: How many times as many there are.
        """
        return max(1, STEP_BYTES // (4 * len(self.items) * threads))

    def start(self, batch: PlanBatch) -> State:
        """Return the state of a new batch."""
        return State.begin(batch)

    @abstractmethod
    def step(self, state: Any) -> Proposal:
        """Propose the next item of each row, without recording it."""

    def next_item_scores(self, state: Any) -> Tensor | None:
        """Return what ranks the next item, [B, I], for next-item scores under IRS (Table IV).

        None where the planner ranks no more than the one item it shows.
        """
        return None


def seen_items(histories: Sequences, items: int) -> Tensor:
    """Return a mask of each row's own items, bool [B, I]."""
    barred_BI = torch.zeros(len(histories), items, dtype=torch.bool)
    rows = torch.from_numpy(histories.row_of_value)
    barred_BI[rows, torch.from_numpy(histories.values) - 1] = True
    return barred_BI


def best_allowed(scores_BI: Tensor, barred_BI: Tensor | None = None) -> Proposal:
    """Propose the best item of each row; none where every score is -inf.

    Args:
        scores_BI: What items are ranked by.
        barred_BI: If given, items that may not be shown whatever their score.
    """
    # NumPy's search is ten times faster than torch's.
    rows_B, scores = np.arange(len(scores_BI)), scores_BI.numpy()
    column_B = scores.argmax(axis=1)
    best_B = scores[rows_B, column_B].astype(np.float32)
    if barred_BI is not None:
        # Rarely is the best item barred; the mask is laid over those rows alone.
        again = np.flatnonzero(barred_BI.numpy()[rows_B, column_B])
        index = torch.from_numpy(again)
        allowed = scores_BI[index].masked_fill_(barred_BI[index], -torch.inf).numpy()
        column_B[again] = allowed.argmax(axis=1)
        best_B[again] = allowed[np.arange(len(again)), column_B[again]]
    return Proposal(np.where(best_B > -np.inf, column_B + 1, 0), best_B)
