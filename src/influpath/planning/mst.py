"""``mst``: the path in a minimum spanning tree of the item graph (Pf2Inf, paper IV-B2).

With equal weights every spanning tree is a minimum one, and which of them the paper took is
unknown.  Here Kruskal's algorithm takes the edges in random order, so that a seed makes a tree;
report several, with their spread.  Items that may not be shown are passed through, not shown.

Shape suffixes: V vertices (catalogue items + 1; vertex i is item i), E edges.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy import sparse
from scipy.sparse import csgraph

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray
from influpath.planning.item_graph import BEGINNING, BoolArray, ItemGraph
from influpath.planning.path_following import NO_PATH, FoundPath, PathFollowingPlanner


class MSTConfig(FrozenConfig):
    """The setting of ``mst``.

    Attributes:
        seed: Orders the edges, and so chooses the tree.
    """

    seed: int = Field(default=0, ge=0)


class MSTPlanner(PathFollowingPlanner[MSTConfig]):
    """Shows the items of the tree's path; scores are minus the tree's hops left after them.

    Args:
        dataset: The training part; its sequences make the graph.
        config: The setting; or
        settings: the same as a keyword.
    """

    name: ClassVar[str] = "mst"
    config_class: ClassVar[type[FrozenConfig]] = MSTConfig

    def __init__(
        self, dataset: Dataset, config: MSTConfig | None = None, **settings: object
    ) -> None:
        super().__init__(dataset, config, **settings)
        self.parent_V, self.depth_V = rooted(random_spanning_tree(self.graph, self.config.seed))

    def find_path(self, start: int, objective: int, open_V: BoolArray, slots: int) -> FoundPath:
        """See ``PathFollowingPlanner.find_path``: climb from both ends until they meet."""
        if self.depth_V[start] < 0 or self.depth_V[objective] < 0:
            return NO_PATH
        up, down = [start], [objective]
        while up[-1] != down[-1]:
            lower = up if self.depth_V[up[-1]] >= self.depth_V[down[-1]] else down
            lower.append(int(self.parent_V[lower[-1]]))
        if up[-1] == BEGINNING and start != BEGINNING:
            # Only the common root joins them: they lie in different components.
            return NO_PATH
        path = up[1:] + down[-2::-1]
        shown = [place for place, item in enumerate(path) if open_V[item]]
        return FoundPath(
            [path[place] for place in shown], [float(place + 1 - len(path)) for place in shown]
        )


def random_spanning_tree(graph: ItemGraph, seed: int) -> sparse.csr_array:
    """Return the edges that Kruskal's algorithm takes in random order, [V, V].

    The edges of vertex 0 come last: among the items the tree is what it would be without them, and
    vertex 0 joins every component by one edge, to a random item among those that begin a sequence.
    """
    lower_E, higher_E = graph.undirected_edges()
    # Of any order; sorting by whether an edge is one of vertex 0 then keeps it among the others.
    order_E = np.random.default_rng(seed).permutation(len(lower_E))
    order_E = order_E[np.argsort(lower_E[order_E] == BEGINNING, kind="stable")]
    weights_E = np.arange(1, len(order_E) + 1, dtype=np.float64)
    weights_VV = sparse.csr_array(
        (weights_E, (lower_E[order_E], higher_E[order_E])), shape=graph.counts_VV.shape
    )
    return sparse.csr_array(csgraph.minimum_spanning_tree(weights_VV))


def rooted(tree_VV: sparse.csr_array) -> tuple[IntArray, IntArray]:
    """Root a forest at vertex 0.

    Returns:
        The parent of each vertex, and its depth; -1 where vertex 0 does not reach it.
    """
    order, parent_V = csgraph.breadth_first_order(tree_VV, BEGINNING, directed=False)
    parent_V = np.where(parent_V < 0, -1, parent_V).astype(np.int64)
    depth_V = np.full(len(parent_V), -1, dtype=np.int64)
    depth_V[BEGINNING] = 0
    for vertex in order[1:].tolist():
        depth_V[vertex] = depth_V[parent_V[vertex]] + 1
    return parent_V, depth_V
