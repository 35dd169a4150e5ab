"""What the planners that follow a whole path share: dijkstra, mst and bridge (Pf2Inf, paper III-B).

A path is found once for each row and then followed.  It is found anew where the row leaves it:
another item was shown, an item of the user's own came in between, or an item still ahead was
rejected.

The paper's Figure 3 counts the last history item as the first of the path; here a path starts with
the item after it.

Shape suffixes: B rows, M path items, I catalogue items, V vertices (I + 1; vertex i is item i).
"""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray
from influpath.planning.base import PlanBatch, Planner, Proposal, State
from influpath.planning.item_graph import BoolArray, ItemGraph

Config = TypeVar("Config", bound=FrozenConfig)


class FoundPath(NamedTuple):
    """A path from the item after the start to the objective.

    Attributes:
        items: Item numbers in the order they are shown; empty where there is no path.
        scores: One number per item; its meaning is the planner's.
    """

    items: list[int]
    scores: list[float]


NO_PATH = FoundPath([], [])


@dataclass(eq=False)
class PathState(State):
    """The state of following paths.

    Attributes:
        ahead_BM: The path of each row, int64 [B, M + 1], 0 after its end.
        scores_BM: The score of each of its items.
        at_B: How many of its items were shown.
        stale_B: True where the row has left its path, or has none yet.
    """

    ahead_BM: IntArray = field(default_factory=lambda: np.empty((0, 0), np.int64))
    scores_BM: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    at_B: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    stale_B: BoolArray = field(default_factory=lambda: np.empty(0, np.bool_))

    def append(self, items_B: IntArray, shown: bool = True) -> None:
        """See ``State.append``."""
        follows_B = (items_B == self.next_items()) & (items_B > 0) & shown
        self.stale_B |= ~follows_B
        # Before the item is barred, which would else look like a rejection of what is ahead.
        self.at_B += follows_B
        super().append(items_B, shown)

    def reject(self, items_B: IntArray) -> None:
        """See ``State.reject``."""
        super().reject(items_B)
        ahead_BM = np.arange(self.ahead_BM.shape[1]) >= self.at_B[:, None]
        hit_BM = (self.ahead_BM == items_B[:, None]) & ahead_BM & (items_B > 0)[:, None]
        self.stale_B |= hit_BM.any(axis=1)

    def rest(self, items_B: IntArray) -> None:
        """See ``State.rest``."""
        super().rest(items_B)
        self.stale_B |= items_B > 0

    def retarget(self, objectives_B: IntArray) -> None:
        """See ``State.retarget``."""
        self.stale_B |= objectives_B != self.objectives_B
        super().retarget(objectives_B)

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """See ``State.keep``; the paths follow."""
        super().keep(rows)
        self.ahead_BM, self.scores_BM = self.ahead_BM[rows], self.scores_BM[rows]
        self.at_B, self.stale_B = self.at_B[rows], self.stale_B[rows]

    def next_items(self) -> IntArray:
        """Return the next item of each row's path, 0 after its end."""
        return np.take_along_axis(self.ahead_BM, self.at_B[:, None], axis=1)[:, 0]

    def replace_path(self, row: int, path: FoundPath) -> None:
        """Set the path of a row; what does not fit the slots left is cut off."""
        length = min(len(path.items), self.max_length - self.shown)
        self.ahead_BM[row], self.scores_BM[row] = 0, 0
        self.ahead_BM[row, :length] = path.items[:length]
        self.scores_BM[row, :length] = path.scores[:length]
        self.at_B[row], self.stale_B[row] = 0, False


class PathFollowingPlanner(Planner, Generic[Config]):
    """A planner that looks for the whole path in the item graph.

    Args:
        dataset: The training part; its sequences make the graph.
        config: The settings; or
        settings: the same as keywords.
    """

    config: Config

    def __init__(self, dataset: Dataset, config: Config | None = None, **settings: object) -> None:
        self.config = config if config is not None else self.parse_dials(settings)
        self._items = dataset.items
        self.graph = ItemGraph.from_sequences(dataset.sequences, len(dataset.items))

    @property
    def items(self) -> IdMap:
        """See ``Planner.items``."""
        return self._items

    def start(self, batch: PlanBatch) -> PathState:
        """See ``Planner.start``."""
        state = PathState.begin(batch)
        assert isinstance(state, PathState)
        rows, width = len(state), batch.max_length + 1
        state.ahead_BM = np.zeros((rows, width), dtype=np.int64)
        state.scores_BM = np.zeros((rows, width), dtype=np.float32)
        state.at_B = np.zeros(rows, dtype=np.int64)
        state.stale_B = np.ones(rows, dtype=np.bool_)
        return state

    def step(self, state: PathState) -> Proposal:
        """Propose the next item of each path; rows that left theirs get a new one first."""
        last_B = state.known.last()
        open_V = np.zeros(len(self.items) + 1, dtype=np.bool_)
        for row in np.flatnonzero(state.stale_B).tolist():
            open_V[1:] = ~state.barred_BI[row].numpy()
            objective, slots = int(state.objectives_B[row]), state.max_length - state.shown
            path = NO_PATH
            if open_V[objective] and slots > 0:
                path = self.find_path(int(last_B[row]), objective, open_V, slots)
            state.replace_path(row, path)
        scores_B1 = np.take_along_axis(state.scores_BM, state.at_B[:, None], axis=1)
        return Proposal(state.next_items(), scores_B1[:, 0])

    @abstractmethod
    def find_path(self, start: int, objective: int, open_V: BoolArray, slots: int) -> FoundPath:
        """Find the path of one row.

        What is found depends on the arguments and the seed alone.

        Args:
            start: The last known item, or 0 (the beginning) where nothing is known of the user.
            objective: Where to; it may be shown.
            open_V: True where an item may be shown.  The start is not.
            slots: The most items that can still be shown, at least 1.

        Returns:
            The path, without the start and without items that may not be shown.
        """
