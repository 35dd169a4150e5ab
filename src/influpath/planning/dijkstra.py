"""``dijkstra``: the shortest path in the item graph (Pf2Inf, paper III-B and IV-B2).

Edges have equal weights, so the shortest path is the one with the fewest hops, and breadth-first
search finds what Dijkstra's algorithm would.  The search runs without the items that may not be
shown, the start excepted; the paper does not say what becomes of them.

Of equally short paths, each hop takes the first item in a random order of the catalogue, which is
another one for every objective.

Shape suffixes: V vertices (catalogue items + 1; vertex i is item i).
"""

from typing import ClassVar

import numpy as np
from pydantic import Field

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.planning.item_graph import BoolArray, random_ranks
from influpath.planning.path_following import NO_PATH, FoundPath, PathFollowingPlanner


class DijkstraConfig(FrozenConfig):
    """The setting of ``dijkstra``.

    Attributes:
        seed: Decides between equally short paths.
    """

    seed: int = Field(default=0, ge=0)


class DijkstraPlanner(PathFollowingPlanner[DijkstraConfig]):
    """Shows the items of a shortest path; scores are minus the hops that are left after them.

    Args:
        dataset: The training part; its sequences make the graph.
        config: The setting; or
        settings: the same as a keyword.
    """

    name: ClassVar[str] = "dijkstra"
    config_class: ClassVar[type[FrozenConfig]] = DijkstraConfig

    def __init__(
        self, dataset: Dataset, config: DijkstraConfig | None = None, **settings: object
    ) -> None:
        super().__init__(dataset, config, **settings)
        self.neighbours = self.graph.neighbours()

    def find_path(self, start: int, objective: int, open_V: BoolArray, slots: int) -> FoundPath:
        """See ``PathFollowingPlanner.find_path``: search backwards, then walk forwards."""
        near_start_V = np.zeros(len(open_V), dtype=np.bool_)
        near_start_V[self.neighbours.row(start)] = True
        left_V = open_V.copy()
        left_V[objective] = False
        # levels[h] holds the open vertices h hops away from the objective.
        levels = [np.array([objective])]
        while not near_start_V[levels[-1]].any():
            next_V = np.zeros(len(open_V), dtype=np.bool_)
            next_V[self.neighbours.take(levels[-1]).values] = True
            level = np.flatnonzero(next_V & left_V)
            if not len(level):
                return NO_PATH
            left_V[level] = False
            levels.append(level)
        ranks_V = random_ranks(self.config.seed, objective, len(open_V))
        items, at = [], start
        for level in reversed(levels):
            choices = np.intersect1d(level, self.neighbours.row(at), assume_unique=True)
            at = int(choices[ranks_V[choices].argmin()])
            items.append(at)
        return FoundPath(items, [-float(h) for h in reversed(range(len(items)))])
