"""``bridge``: the most likely path from the last item to the objective (no planner of the paper).

The paper's item graph has equal weights and no directions, which says nothing about how likely a
user is to follow.  Here an edge from item i to item j costs -log P(j | i) with additive smoothing,

    P(j | i) = (n_ij + a) / (n_i + a I),

n_ij being how often j came right after i in the training sequences, n_i the sum over j, I the
catalogue size.  The cheapest path of at most M items is the maximum-likelihood bridge.  It runs
through items that may be shown only, and only over edges that occurred (n_ij > 0): every hop costs
several nats, so that with the others the cheapest path is mostly the jump to the objective itself,
which ``direct`` shows already.  With ``jumps`` they are edges too.  All jumps out of an item cost
the same, so one to any other item than the objective never pays, and the search stays exact.

The search goes hop by hop, so that the bound M is exact, and leaves out what cannot beat the best
path so far.  Of equally likely paths it takes one with the fewest hops, and then by a random order
of the catalogue that is another one for every objective.

Shape suffixes: V vertices (catalogue items + 1; vertex i is item i), F vertices that the
last hop reached, E edges.
"""

from itertools import pairwise
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy import sparse

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray
from influpath.planning.item_graph import BoolArray, FloatArray, edges_out_of, random_ranks
from influpath.planning.path_following import NO_PATH, FoundPath, PathFollowingPlanner


class BridgeConfig(FrozenConfig):
    """The settings of ``bridge``.

    Attributes:
        smoothing: a, what is added to every count.
        jumps: Whether an edge that never occurred may be used.
        seed: Decides between equally likely paths.
    """

    smoothing: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    jumps: bool = False
    seed: int = Field(default=0, ge=0)


class BridgePlanner(PathFollowingPlanner[BridgeConfig]):
    """Shows the items of the most likely path; scores are log P(item | item before).

    Args:
        dataset: The training part; its sequences make the graph.
        config: The settings; or
        settings: the same as keywords.
    """

    name: ClassVar[str] = "bridge"
    config_class: ClassVar[type[FrozenConfig]] = BridgeConfig

    def __init__(
        self, dataset: Dataset, config: BridgeConfig | None = None, **settings: object
    ) -> None:
        super().__init__(dataset, config, **settings)
        smoothing = self.config.smoothing
        counts_VV = self.graph.counts_VV
        total_V = counts_VV.sum(axis=1) + smoothing * len(dataset.items)
        self.jump_V: FloatArray = np.log(total_V) - np.log(smoothing)
        costs_E: FloatArray = np.repeat(np.log(total_V), np.diff(counts_VV.indptr))
        costs_E -= np.log(counts_VV.data + smoothing)
        self.out_VV = sparse.csr_array(
            (costs_E, counts_VV.indices, counts_VV.indptr), shape=counts_VV.shape
        )
        self.into_VV = sparse.csr_array(self.out_VV.T)
        self.cheapest_out_V = np.full(len(total_V), np.inf)
        some_V = np.diff(counts_VV.indptr) > 0
        self.cheapest_out_V[some_V] = np.minimum.reduceat(costs_E, counts_VV.indptr[:-1][some_V])

    def find_path(self, start: int, objective: int, open_V: BoolArray, slots: int) -> FoundPath:
        """See ``PathFollowingPlanner.find_path``."""
        last_hop_V = self.costs_into(objective)
        passable_V = open_V.copy()
        passable_V[objective] = False
        last_hop_V[~passable_V & (np.arange(len(open_V)) != start)] = np.inf
        # The least that is still to pay: for the hop to the objective, or for two hops or more.
        to_pay_V = np.minimum(last_hop_V, self.cheapest_out_V + last_hop_V.min())
        ranks_V = random_ranks(self.config.seed, objective, len(open_V))
        paid_V = np.full(len(open_V), np.inf)
        paid_V[start] = 0
        front_F = np.array([start])
        cheapest, last, hops_found = np.inf, start, 0
        came_from: list[IntArray] = []
        # came_from[h] says from where a vertex of the front after h + 1 hops was reached.
        for hops in range(1, slots + 1):
            whole_F = paid_V[front_F] + last_hop_V[front_F]
            if whole_F.min() < cheapest:
                cheapest, last, hops_found = whole_F.min(), int(front_F[whole_F.argmin()]), hops
            front_F = front_F[paid_V[front_F] + to_pay_V[front_F] < cheapest]
            from_V = self.extend(front_F, paid_V, passable_V, to_pay_V, cheapest)
            front_F = np.flatnonzero(from_V >= 0)
            if not len(front_F):
                break
            front_F = front_F[ranks_V[front_F].argsort()]
            came_from.append(from_V)
        if cheapest == np.inf:
            return NO_PATH
        items = [objective]
        for from_V in reversed(came_from[: hops_found - 1]):
            items.append(last)
            last = int(from_V[last])
        items.reverse()
        costs = [self.costs_into(item)[before] for before, item in pairwise([start, *items])]
        return FoundPath(items, [-float(cost) for cost in costs])

    def extend(
        self,
        front_F: IntArray,
        paid_V: FloatArray,
        passable_V: BoolArray,
        to_pay_V: FloatArray,
        cheapest: float,
    ) -> IntArray:
        """Go one hop on from the front, which is in the order that breaks ties.

        Args:
            front_F: The vertices that the previous hop reached more cheaply than any before it.
            paid_V: The cheapest cost from the start to each vertex so far; is brought up to date.
            passable_V: Where paths may pass.
            to_pay_V: At least what the rest of a path costs.
            cheapest: The cost of the best whole path so far.

        Returns:
            For each vertex the one that it was reached from, [V]; -1 where this hop is no gain.
        """
        places_E, source_E = edges_out_of(front_F, self.out_VV.indptr)
        to_E = self.out_VV.indices[places_E]
        paid_E = paid_V[front_F][source_E] + self.out_VV.data[places_E]
        gain_E = passable_V[to_E] & (paid_E < paid_V[to_E])
        gain_E &= paid_E + to_pay_V[to_E] < cheapest
        to_E, paid_E, source_E = to_E[gain_E], paid_E[gain_E], source_E[gain_E]
        np.minimum.at(paid_V, to_E, paid_E)
        best_E = paid_E == paid_V[to_E]
        from_V = np.full(len(paid_V), -1, dtype=np.int64)
        # Of repeated assignments the last one holds: backwards, that is the first in order.
        from_V[to_E[best_E][::-1]] = front_F[source_E[best_E]][::-1]
        return from_V

    def costs_into(self, item: int) -> FloatArray:
        """Return the cost of the edge from each vertex to an item, [V]; inf where there is none."""
        costs_V = self.jump_V.copy() if self.config.jumps else np.full_like(self.jump_V, np.inf)
        edges = slice(self.into_VV.indptr[item], self.into_VV.indptr[item + 1])
        costs_V[self.into_VV.indices[edges]] = self.into_VV.data[edges]
        return costs_V
