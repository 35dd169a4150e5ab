"""Algorithm 1, its frames and its state, with planners that follow a script."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError, ResultError, UnknownIdError
from influpath.planning.algorithm import ROWS_PER_THREAD, plan, recode, rows_and_threads
from influpath.planning.base import (
    STEP_BYTES,
    PlanBatch,
    Planner,
    Proposal,
    State,
    best_allowed,
)
from influpath.planning.direct import DirectPlanner
from influpath.planning.irn import IRNDials
from influpath.planning.oracle import OracleConfig
from influpath.planning.paths import Paths
from influpath.planning.rec2inf import Rec2InfConfig
from influpath.planning.schedule import at_step


class Scripted(Planner):
    """Shows a fixed path per objective; 0 ends it."""

    name: ClassVar[str] = "scripted"
    config = FrozenConfig()

    def __init__(self, items: IdMap, script: dict[Any, list[Any]]) -> None:
        self._items = items
        self.script = {
            int(items.encode([objective])[0]): items.encode(path).tolist()
            for objective, path in script.items()
        }

    @property
    def items(self) -> IdMap:
        return self._items

    def step(self, state: State) -> Proposal:
        paths = [self.script[int(objective)] for objective in state.objectives_B]
        shown = [path[state.shown] if state.shown < len(path) else 0 for path in paths]
        return Proposal(np.array(shown, dtype=np.int64), np.full(len(shown), 0.5, np.float32))


ITEMS = IdMap(list("abcdefgh"), 1, "item")
PAIRS = pl.DataFrame(
    {
        "pair_id": [9, 4, 7, 1],
        "user_id": ["x", "y", "x", "z"],
        "objective_id": ["d", "e", "f", "g"],
    }
)
HISTORIES = {"x": ["a"], "y": ["a", "b"], "z": []}
SCRIPT = {
    "d": ["b", "c", "d"],  # reached
    "e": [],  # no path at all
    "f": ["b", "c"],  # ends without the objective
    "g": ["a", "b", "c", "d", "e", "f", "g"],  # too long
}
EXPECTED = {9: ["b", "c", "d"], 4: [], 7: ["b", "c"], 1: ["a", "b", "c", "d"]}


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_frames(batch_size: int) -> None:
    """A pair without any path has an outcome of length 0, in whatever batch it is."""
    paths = plan(Scripted(ITEMS, SCRIPT), PAIRS, HISTORIES, max_length=4, batch_size=batch_size)
    assert paths.steps.schema == {
        "pair_id": pl.Int64,
        "step": pl.Int64,
        "item_id": pl.String,
        "score": pl.Float32,
    }
    assert paths.steps.rows() == [
        (pair, step, item, 0.5)
        for pair in (9, 4, 7, 1)
        for step, item in enumerate(EXPECTED[pair], start=1)
    ]
    assert paths.outcomes.rows() == [(9, True, 3), (4, False, 0), (7, False, 2), (1, False, 4)]
    assert paths.items_of(7) == ["b", "c"]
    chosen = paths.of_pairs(PAIRS[[3, 1]])
    assert chosen.outcomes["pair_id"].to_list() == [4, 1]
    assert set(chosen.steps["pair_id"]) == {1}


def test_nothing_found_at_all() -> None:
    paths = plan(Scripted(ITEMS, {key: [] for key in "defg"}), PAIRS, HISTORIES)
    assert paths.outcomes.rows() == [(pair, False, 0) for pair in (9, 4, 7, 1)]
    assert paths.steps.height == 0


@pytest.mark.parametrize("kind", [pl.Int32, pl.UInt32, pl.Int64, pl.UInt8])
def test_pair_ids_of_any_whole_type(kind: Any) -> None:
    pairs = PAIRS.with_columns(pl.col("pair_id").cast(kind))
    paths = plan(Scripted(ITEMS, SCRIPT), pairs, HISTORIES, max_length=4)
    assert paths.outcomes["length"].to_list() == [3, 0, 2, 4]


def test_whole_number_ids() -> None:
    items = IdMap([30, 10, 20], 1, "item")
    pairs = pl.DataFrame({"pair_id": [0], "user_id": [5], "objective_id": [20]})
    paths = plan(Scripted(items, {20: [10, 20]}), pairs, {5: [30]})
    assert paths.steps["item_id"].to_list() == [10, 20]
    assert paths.outcomes.rows() == [(0, True, 2)]


def test_a_file_of_paths(tmp_path: Path) -> None:
    paths = plan(Scripted(ITEMS, SCRIPT), PAIRS, HISTORIES, max_length=4)
    paths.write(tmp_path / "paths.parquet")
    again = Paths.read(tmp_path / "paths.parquet", PAIRS)
    assert again.steps.equals(paths.steps)
    assert again.outcomes.equals(paths.outcomes)
    with pytest.raises(ResultError, match="no such file"):
        Paths.read(tmp_path / "other.parquet", PAIRS)
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(ResultError, match="cannot be read"):
        Paths.read(tmp_path / "text.parquet", PAIRS)
    paths.steps.drop("score").write_parquet(tmp_path / "three.parquet")
    with pytest.raises(ResultError, match="cannot be read"):
        Paths.read(tmp_path / "three.parquet", PAIRS)


def test_direct_shows_the_objective_at_once(tiny: Dataset) -> None:
    pairs = PAIRS.with_columns(user_id=pl.lit("x"))
    paths = plan(DirectPlanner(ITEMS), pairs, HISTORIES)
    assert paths.steps["item_id"].to_list() == ["d", "e", "f", "g"]
    assert paths.outcomes["reached"].all()


def test_recode() -> None:
    given, wanted = IdMap(["a", "b", "c", "q"], 1, "item"), IdMap(["c", "a", "b"], 1, "item")
    sequences = Sequences.from_rows([[1, 2, 3], [], [3]])
    assert recode(sequences, given, wanted).values.tolist() == [2, 3, 1, 1]
    assert recode(sequences, given, given) is sequences
    # Only items that occur have to be known.
    with pytest.raises(UnknownIdError, match="'q'"):
        recode(Sequences.from_rows([[4, 1]]), given, wanted)


def begin() -> State:
    histories = Sequences.from_rows([[1, 2], [], [5, 5]])
    return State.begin(
        PlanBatch(np.array([7, -1, 8]), histories, np.array([3, 4, 6]), max_length=4, items=6)
    )


def barred(state: State) -> list[list[int]]:
    return [(torch.nonzero(row)[:, 0] + 1).tolist() for row in state.barred_BI]


def test_state() -> None:
    state = begin()
    assert (state.step, state.shown, len(state)) == (1, 0, 3)
    assert barred(state) == [[1, 2], [], [5]]
    state.reject(np.array([6, 0, 1]))
    assert barred(state) == [[1, 2, 6], [], [1, 5]]
    assert [state.known.row(r).tolist() for r in range(3)] == [[1, 2], [], [5, 5]]
    state.append(np.array([4, 1, 2]))
    state.append(np.array([5, 2, 3]), shown=False)
    assert (state.step, state.shown) == (2, 1)
    assert [state.known.row(r).tolist() for r in range(3)] == [[1, 2, 4, 5], [1, 2], [5, 5, 2, 3]]
    assert barred(state) == [[1, 2, 4, 5, 6], [1, 2], [1, 2, 3, 5]]
    state.keep(np.array([2, 0]))
    assert (state.users_B.tolist(), state.objectives_B.tolist()) == ([8, 7], [6, 3])
    assert [state.known.row(r).tolist() for r in range(2)] == [[5, 5, 2, 3], [1, 2, 4, 5]]
    assert barred(state) == [[1, 2, 3, 5], [1, 2, 4, 5, 6]]
    state.keep(np.array([], dtype=np.int64))
    assert len(state) == 0


def test_the_best_allowed_item_is_the_first_of_the_highest_score() -> None:
    none = -torch.inf
    scores = torch.tensor([[1.0, 3.0, 3.0], [none, none, none], [none, -2.0, none], [0, -1, -1]])
    kept = scores.clone()
    proposal = best_allowed(scores)
    assert proposal.items_B.tolist() == [2, 0, 2, 1]
    assert proposal.scores_B.tolist() == [3.0, -np.inf, -2.0, 0.0]
    assert proposal.scores_B.dtype == np.float32
    # Barring the best, another than the best, the only one, and all.
    barred = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=torch.bool)
    proposal = best_allowed(scores, barred)
    assert proposal.items_B.tolist() == [3, 0, 0, 0]
    assert proposal.scores_B.tolist() == [3.0, -np.inf, -np.inf, -np.inf]
    assert torch.equal(scores, kept)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_barred_items_are_as_if_their_score_were_minus_infinity(data: st.DataObject) -> None:
    shape = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 5))
    cells = shape[0] * shape[1]
    score = st.sampled_from([-torch.inf, -1.0, 0.0, 2.0])
    scores = torch.tensor(data.draw(st.lists(score, min_size=cells, max_size=cells))).view(shape)
    some = data.draw(st.lists(st.booleans(), min_size=cells, max_size=cells))
    barred = torch.tensor(some, dtype=torch.bool).view(shape)
    found = best_allowed(scores, barred)
    expected = best_allowed(scores.masked_fill(barred, -torch.inf))
    assert found.items_B.tolist() == expected.items_B.tolist()
    assert found.scores_B.tolist() == expected.scores_B.tolist()


class Large(Scripted):
    """As if its catalogue were large."""

    catalogue = 10

    @property
    def items(self) -> Any:
        return range(self.catalogue)

    @property
    def parallel(self) -> bool:
        return True


def test_memory_bounds_how_many_rows_are_planned_at_once() -> None:
    """Twelve numbers per row and item stay far below a gigabyte and a half."""
    planner = Large(ITEMS, {})
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 8):
            torch.set_num_threads(threads)
            for items in (10, 3_000, 100_000, 1_000_000, 20_000_000):
                planner.catalogue = items
                at_a_time, rows = rows_and_threads(planner, 1024)
                assert 1 <= rows <= 1024
                assert at_a_time * rows * items * 4 <= STEP_BYTES or rows == 1
                # Few rows are not torn apart for the sake of threads.
                assert at_a_time == 1 or rows >= ROWS_PER_THREAD
            planner.catalogue = 3_000
            assert rows_and_threads(planner, 1024) == (threads, 1024 // threads)
            assert rows_and_threads(planner, 0) == (threads, 1)
            assert rows_and_threads(planner, 5)[1] == 5
    finally:
        torch.set_num_threads(before)


def test_schedules() -> None:
    assert [at_step(3, k) for k in (1, 5)] == [3, 3]
    assert [at_step((1, 4, 9), k) for k in (1, 2, 3, 4, 20)] == [1, 4, 9, 9, 9]


@pytest.mark.parametrize(
    ("dials", "values", "key"),
    [
        (IRNDials, {"pace": 0}, "pace"),
        (IRNDials, {"pace": (1, 0)}, "pace"),
        (IRNDials, {"pace": ()}, "pace"),
        (IRNDials, {"floor": -1}, "floor"),
        (IRNDials, {"guidance": float("nan")}, "guidance"),
        (IRNDials, {"guidance": "strong"}, "guidance"),
        (IRNDials, {"speed": 1}, "speed"),
        (Rec2InfConfig, {"k": 0}, "k"),
        (OracleConfig, {"k": (5, -5)}, "k"),
    ],
)
def test_dials_out_of_range_are_refused(
    dials: type[FrozenConfig], values: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError, match=f"here: {key}"):
        dials.parse(values, "here")
