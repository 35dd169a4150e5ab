"""Planners on the item graph, against networkx and against trying everything on small graphs."""

import itertools
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.planning.algorithm import plan
from influpath.planning.base import PlanBatch, Planner
from influpath.planning.bridge import BridgePlanner
from influpath.planning.dijkstra import DijkstraPlanner
from influpath.planning.item_graph import ItemGraph
from influpath.planning.mst import MSTPlanner, random_spanning_tree
from influpath.planning.path_following import PathFollowingPlanner
from influpath.testing import PlannerConformance, tiny_dataset

EVERYTHING = 1000
PLANNERS = [DijkstraPlanner, MSTPlanner, BridgePlanner]


def connected_dataset() -> Dataset:
    """The tiny ring, and users who jump about, so that seen items seldom block every way."""
    tiny, rng = tiny_dataset(), np.random.default_rng(5)
    jumps = [rng.permutation(24)[:12] + 1 for _ in range(16)]
    rows = [tiny.sequences.row(r) for r in range(len(tiny.users))]
    users = IdMap([*tiny.users.ids, *(f"jumper {n}" for n in range(len(jumps)))], 0, "user")
    return replace(tiny, sequences=Sequences.from_rows([*rows, *jumps]), users=users)


class OnTheGraph(PlannerConformance):
    @pytest.fixture
    def dataset(self) -> Dataset:
        return connected_dataset()

    def make_again(self, planner: Planner, folder: Path) -> Planner:
        factory: Any = type(planner)
        return factory(connected_dataset(), planner.config)  # type: ignore[no-any-return]


class TestDijkstra(OnTheGraph):
    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        return DijkstraPlanner(dataset, seed=3)


class TestMST(OnTheGraph):
    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        return MSTPlanner(dataset)


class TestBridge(OnTheGraph):
    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        return BridgePlanner(dataset)


class TestBridgeWithJumps(OnTheGraph):
    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        return BridgePlanner(dataset, jumps=True, smoothing=0.001)


def dataset_of(rows: list[list[int]], items: int) -> Dataset:
    return Dataset(
        name="drawn",
        preset="custom",
        sequences=Sequences.from_rows(rows),
        users=IdMap(list(range(len(rows))), 0, "user"),
        items=IdMap(list(range(1, items + 1)), 1, "item"),
        catalogue=pl.DataFrame(
            {"item_id": range(1, items + 1), "title": None, "genres": None},
        ),
    )


class Case(NamedTuple):
    """A log, and a row to plan: start 0 is an empty history."""

    rows: list[list[int]]
    items: int
    start: int
    objective: int
    open_V: Any
    seed: int

    @property
    def dataset(self) -> Dataset:
        return dataset_of(self.rows, self.items)

    def find(self, planner: PathFollowingPlanner[Any], slots: int = EVERYTHING) -> Any:
        return planner.find_path(self.start, self.objective, self.open_V, slots)

    def edges(self) -> Counter[tuple[int, int]]:
        """How often j came right after i, by a plain loop; 0 before every first item."""
        hops = (hop for row in self.rows for hop in itertools.pairwise([0, *row][: len(row) + 1]))
        return Counter((i, j) for i, j in hops if i != j)


@st.composite
def cases(draw: st.DrawFn, items: int = 9) -> Case:
    item = st.integers(1, items)
    rows = draw(st.lists(st.lists(item, max_size=6), min_size=1, max_size=8))
    objective = draw(item)
    start = draw(st.integers(0, items).filter(lambda vertex: vertex != objective))
    closed = draw(st.sets(item, max_size=4)) - {objective}
    open_V = np.array([vertex not in closed | {0, start} for vertex in range(items + 1)])
    return Case(rows, items, start, objective, open_V, draw(st.integers(0, 5)))


def undirected(case: Case) -> Any:
    """The item graph for networkx; vertex 0 only where the path starts there."""
    graph = nx.Graph()
    graph.add_nodes_from([case.start, *range(1, case.items + 1)])
    graph.add_edges_from(hop for hop in case.edges() if hop[0] or case.start == 0)
    return graph


def tree_of(graph: ItemGraph, seed: int) -> Any:
    """The spanning tree for networkx, vertex 0 included."""
    tree_VV = random_spanning_tree(graph, seed)
    tree = nx.Graph()
    tree.add_nodes_from(range(tree_VV.shape[0]))
    tree.add_edges_from(np.argwhere(tree_VV.toarray()).tolist())
    return tree


@settings(max_examples=60, deadline=None)
@given(cases())
def test_counts_of_consecutive_items(case: Case) -> None:
    graph = ItemGraph.from_sequences(Sequences.from_rows(case.rows), case.items)
    counts_VV = graph.counts_VV.toarray()
    assert {(int(i), int(j)): counts_VV[i, j] for i, j in np.argwhere(counts_VV)} == case.edges()
    lower, higher = graph.undirected_edges()
    pairs = list(zip(lower.tolist(), higher.tolist(), strict=True))
    assert sorted(pairs) == sorted({(min(hop), max(hop)) for hop in case.edges()})


@settings(max_examples=100, deadline=None)
@given(cases())
def test_dijkstra_is_as_short_as_networkx_without_the_closed_items(case: Case) -> None:
    path = case.find(DijkstraPlanner(case.dataset, seed=case.seed))
    graph = undirected(case)
    left = graph.subgraph(set(np.flatnonzero(case.open_V).tolist()) | {case.start})
    if not nx.has_path(left, case.start, case.objective):
        assert path.items == []
        return
    assert len(path.items) == nx.shortest_path_length(left, case.start, case.objective)
    assert path.items[-1] == case.objective
    assert all(left.has_edge(*hop) for hop in itertools.pairwise([case.start, *path.items]))
    assert path.scores == [place + 1 - len(path.items) for place in range(len(path.items))]


@pytest.mark.parametrize("planner_class", [DijkstraPlanner, BridgePlanner])
def test_ties_are_broken_fairly(planner_class: Any) -> None:
    """Over many objectives, each of eight equal ways in between is taken about equally often."""
    between, objectives = range(2, 10), range(10, 410)
    rows = [[1, middle, objective] for middle in between for objective in objectives]
    dataset, open_V = dataset_of(rows, 409), np.arange(410) > 1

    def ways(seed: int) -> list[int]:
        planner = planner_class(dataset, seed=seed)
        return [planner.find_path(1, t, open_V, 20).items[0] for t in objectives]

    taken = Counter(ways(seed=4))
    # Binomial(400, 1 / 8): six standard deviations on either side.
    assert set(taken) == set(between)
    assert all(abs(times - 50) < 40 for times in taken.values())
    assert ways(seed=5) != ways(seed=4)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_the_tree_spans_what_the_graph_connects(case: Case) -> None:
    """As many edges as networkx's tree, all of the graph, and the same components."""
    graph = ItemGraph.from_sequences(Sequences.from_rows(case.rows), case.items)
    whole_tree = tree_of(graph, case.seed)
    first = list(whole_tree.neighbors(0))
    tree = whole_tree.subgraph(range(1, case.items + 1))
    whole = undirected(case._replace(start=1))
    expected = nx.minimum_spanning_tree(whole)
    assert tree.number_of_edges() == expected.number_of_edges()
    assert all(whole.has_edge(*edge) for edge in tree.edges)
    assert set(map(frozenset, nx.connected_components(tree))) == set(
        map(frozenset, nx.connected_components(whole))
    )
    # Vertex 0 hangs on every component that a sequence begins in, by one edge.
    begun = {j for i, j in case.edges() if i == 0}
    assert set(first) <= begun
    assert sorted(min(nx.node_connected_component(tree, j)) for j in first) == sorted(
        {min(nx.node_connected_component(tree, j)) for j in begun}
    )


@settings(max_examples=100, deadline=None)
@given(cases())
def test_mst_follows_the_tree_and_skips_closed_items(case: Case) -> None:
    planner = MSTPlanner(case.dataset, seed=case.seed)
    path = case.find(planner)
    tree = tree_of(planner.graph, case.seed)
    if case.start:
        tree.remove_node(0)
    if not nx.has_path(tree, case.start, case.objective):
        assert path.items == []
        return
    whole = nx.shortest_path(tree, case.start, case.objective)[1:]
    assert path.items == [item for item in whole if case.open_V[item]]
    assert path.scores == [
        place + 1 - len(whole) for place, item in enumerate(whole) if case.open_V[item]
    ]


def test_every_edge_is_as_likely_to_be_left_out() -> None:
    """A ring of eight: the tree lacks one edge, which one is up to the seed."""
    graph = ItemGraph.from_sequences(Sequences.from_rows([[1, 2, 3, 4, 5, 6, 7, 8, 1]]), 8)
    ring = {(i, i + 1) for i in range(1, 8)} | {(1, 8)}
    left_out: Counter[tuple[int, int]] = Counter()
    for seed in range(400):
        taken = {(min(edge), max(edge)) for edge in tree_of(graph, seed).edges}
        left_out.update(ring - taken)
    assert left_out.total() == 400
    assert all(abs(left_out[edge] - 50) < 40 for edge in ring)


def costs(case: Case, smoothing: float, jumps: bool) -> dict[tuple[int, int], float]:
    """-log P(j | i) from the formula, for every edge from the start or an open item to one."""
    edges = case.edges()
    total: Counter[int] = Counter()
    for (i, _), count in edges.items():
        total[i] += count
    inside = np.flatnonzero(case.open_V).tolist()
    return {
        (i, j): -math.log((edges[i, j] + smoothing) / (total[i] + smoothing * case.items))
        for i, j in itertools.product([case.start, *inside], inside)
        if i != j and (jumps or (i, j) in edges)
    }


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from([0.01, 0.5, 3.0]), st.booleans())
def test_the_bridge_costs_what_networkx_says(case: Case, smoothing: float, jumps: bool) -> None:
    planner = BridgePlanner(case.dataset, smoothing=smoothing, jumps=jumps)
    path = case.find(planner)
    graph = nx.DiGraph()
    graph.add_nodes_from([case.start, case.objective])
    for hop, weight in costs(case, smoothing, jumps).items():
        graph.add_edge(*hop, weight=weight)
    if not nx.has_path(graph, case.start, case.objective):
        assert path.items == []
        return
    expected = nx.dijkstra_path_length(graph, case.start, case.objective)
    walked = list(itertools.pairwise([case.start, *path.items]))
    assert walked[-1][1] == case.objective
    assert path.scores == pytest.approx([-graph.edges[hop]["weight"] for hop in walked])
    assert -sum(path.scores) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(cases(items=6), st.integers(1, 4), st.booleans())
def test_the_bridge_is_the_best_of_all_paths_that_fit(case: Case, slots: int, jumps: bool) -> None:
    """Against every simple path of at most M items."""
    smoothing = 0.05
    path = case.find(BridgePlanner(case.dataset, smoothing=smoothing, jumps=jumps), slots)
    allowed = costs(case, smoothing, jumps)
    inside = [i for i in np.flatnonzero(case.open_V).tolist() if i != case.objective]
    found = []
    for between in range(slots):
        for middle in itertools.permutations(inside, between):
            walk = list(itertools.pairwise([case.start, *middle, case.objective]))
            if all(hop in allowed for hop in walk):
                found.append(sum(allowed[hop] for hop in walk))
    assert len(path.items) <= slots
    assert bool(path.items) is bool(found)
    if found:
        assert -sum(path.scores) == pytest.approx(min(found))


def test_the_bound_on_the_length_can_cost_likelihood() -> None:
    """1-2-3-4 happens all the time; from 1 to 4 at once, hardly ever."""
    dataset = dataset_of([[1, 2, 3, 4]] * 50 + [[1, 4]], 4)
    planner = BridgePlanner(dataset)
    open_V = np.arange(5) > 1
    found = {slots: planner.find_path(1, 4, open_V, slots).items for slots in (1, 2, 3, 20)}
    assert found == {1: [4], 2: [4], 3: [2, 3, 4], 20: [2, 3, 4]}


@pytest.mark.parametrize("planner_class", PLANNERS)
def test_pairs_that_cannot_be_reached_have_no_rows(planner_class: Any) -> None:
    """Two components, an item that never occurred, and a way that seen items block."""
    dataset = dataset_of([[1, 2, 3, 4], [5, 6], []], 7)
    pairs = pl.DataFrame(
        {
            "pair_id": [1, 2, 3, 4, 5],
            "user_id": ["a", "a", "lost", "b", "a"],
            "objective_id": [6, 7, 2, 4, 4],
        }
    )
    histories = {"a": [1], "lost": [7], "b": [3, 2, 1]}
    paths = plan(planner_class(dataset), pairs, histories)
    blocked = planner_class is not MSTPlanner
    assert paths.items_of(5) == [2, 3, 4]
    assert paths.items_of(4) == ([] if blocked else [4])
    assert set(paths.steps["pair_id"]) == ({5} if blocked else {4, 5})
    assert paths.outcomes["pair_id"].to_list() == [1, 2, 3, 4, 5]
    # A longer path than fits shows its first items; the bridge takes no path that does not fit.
    short = plan(planner_class(dataset), pairs, histories, max_length=2)
    assert short.items_of(5) == ([] if planner_class is BridgePlanner else [2, 3])


@pytest.mark.parametrize("planner_class", PLANNERS)
def test_an_empty_history_starts_where_sequences_begin(planner_class: Any) -> None:
    dataset = dataset_of([[2, 1, 3], [2, 3], [5, 6]], 6)
    planner = planner_class(dataset)
    for objective, expected in ((3, [2, 3]), (2, [2]), (6, [5, 6]), (4, [])):
        batch = PlanBatch(np.array([-1]), Sequences.from_rows([[]]), np.array([objective]), 20, 6)
        state = planner.start(batch)
        found = []
        while item := int(planner.step(state).items_B[0]):
            found.append(item)
            state.append(np.array([item]))
        assert found[-1:] == expected[-1:]
        if planner_class is not MSTPlanner:
            assert found == expected


@pytest.mark.parametrize("planner_class", PLANNERS)
def test_a_row_that_leaves_its_path_gets_a_new_one(planner_class: Any, tiny: Dataset) -> None:
    """After anything unplanned, what follows is what a fresh state with the same past says."""
    planner = planner_class(tiny)
    rng = np.random.default_rng(2)
    rows = 40
    objectives = rng.integers(1, 25, size=rows)
    known = Sequences.from_rows(
        [[i for i in rng.integers(1, 25, size=5).tolist() if i != t] for t in objectives.tolist()]
    )
    batch = PlanBatch(np.full(rows, -1), known, objectives, 30, 24)
    state = planner.start(batch)
    left = 0
    for turn in range(8):
        proposed = planner.step(state).items_B
        # Some rows follow, some see another item, and some have their next item rejected.
        kind = rng.integers(3, size=rows)
        state.reject(np.where(kind == 2, proposed, 0))
        other = rng.integers(1, 25, size=rows)
        state.append(np.where((kind == 0) & (proposed > 0), proposed, other), shown=turn != 5)
        fresh = planner.start(
            PlanBatch(batch.users_B, state.known, objectives, 30 - state.shown, 24)
        )
        fresh.barred_BI[:] = state.barred_BI
        found, expected = planner.step(state), planner.step(fresh)
        assert found.items_B.tolist() == expected.items_B.tolist()
        np.testing.assert_allclose(found.scores_B, expected.scores_B, atol=1e-5)
        left += int((found.items_B > 0).sum())
    assert left > 40


def test_settings_out_of_range_are_refused(tiny: Dataset) -> None:
    for planner_class, wrong in (
        (DijkstraPlanner, {"seed": -1}),
        (MSTPlanner, {"sead": 1}),
        (BridgePlanner, {"smoothing": 0}),
        (BridgePlanner, {"smoothing": float("inf")}),
    ):
        where = f"dials of {planner_class.name}: {next(iter(wrong))}"
        with pytest.raises(ConfigError, match=where):
            planner_class(tiny, **wrong)
