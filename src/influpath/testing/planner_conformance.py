"""What must hold for every planner."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError, DataError, UnknownIdError
from influpath.planning import algorithm
from influpath.planning.algorithm import encode_pairs, plan
from influpath.planning.base import REST, PlanBatch, Planner, State
from influpath.planning.paths import Paths
from influpath.planning.responses import Response
from influpath.planning.session import Session
from influpath.testing.tiny import tiny_dataset, tiny_pairs

TOLERANCE = 1e-4


class PlannerConformance:
    """Subclass it as ``Test...`` and override the fixture ``planner``.

    Attributes:
        max_length: M in these tests.
    """

    max_length = 6

    @pytest.fixture
    def dataset(self) -> Dataset:
        """The dataset that the planner's model was trained on."""
        return tiny_dataset()

    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        """The planner to test."""
        raise NotImplementedError

    @pytest.fixture
    def pairs(self, dataset: Dataset) -> pl.DataFrame:
        """One pair per user."""
        return tiny_pairs(dataset)

    @pytest.fixture
    def batch(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> PlanBatch:
        """The first pairs in the planner's own numbers."""
        return make_batch(planner, pairs.head(12), dataset, self.max_length)

    def make_again(self, planner: Planner, folder: Path) -> Planner:
        """Build the planner anew from what ``save`` wrote; override for other constructors."""
        factory: Any = type(planner)
        model = getattr(planner, "model", None)
        if model is None:
            return factory(planner.items, planner.config)  # type: ignore[no-any-return]
        model.save(folder)
        return factory(type(model).load(folder), planner.config)  # type: ignore[no-any-return]

    def plan(self, planner: Planner, pairs: pl.DataFrame, histories: Any, **options: Any) -> Paths:
        """Plan with this class's M."""
        return plan(planner, pairs, histories, max_length=self.max_length, **options)

    def test_paths_are_paths(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> None:
        """At most M items, none seen, none twice, and the objective ends the path."""
        paths = self.plan(planner, pairs, dataset)
        assert paths.outcomes["pair_id"].to_list() == pairs["pair_id"].to_list()
        shown_in_order = paths.steps["pair_id"].unique(maintain_order=True).to_list()
        assert shown_in_order == [p for p in pairs["pair_id"] if p in set(shown_in_order)]
        outcomes = {row[0]: row[1:] for row in paths.outcomes.iter_rows()}
        for pair, user, objective in pairs.iter_rows():
            path = paths.items_of(pair)
            steps = paths.steps.filter(pl.col("pair_id") == pair)["step"].to_list()
            row = dataset.sequences.row(int(dataset.rows_of([user])[0]))
            history = dataset.items.decode(row)
            assert steps == list(range(1, len(path) + 1))
            assert len(path) <= self.max_length
            assert len(set(path)) == len(path)
            assert not set(path) & set(history)
            assert objective not in path[:-1]
            assert outcomes[pair] == (path[-1:] == [objective], len(path))
        # A planner that shows nothing would pass all of the above.
        assert paths.steps.height >= pairs.height

    @pytest.mark.parametrize("batch_size", [1, 5])
    def test_batch_size_does_not_matter(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset, batch_size: int
    ) -> None:
        """Batches bound memory and change nothing."""
        whole = self.plan(planner, pairs, dataset)
        parts = self.plan(planner, pairs, dataset, batch_size=batch_size)
        assert_same_paths(parts, whole)

    def test_threads_do_not_matter(
        self,
        planner: Planner,
        pairs: pl.DataFrame,
        dataset: Dataset,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Batches that are planned at a time do not meet."""
        whole = self.plan(planner, pairs, dataset)
        before = torch.get_num_threads()
        monkeypatch.setattr(algorithm, "ROWS_PER_THREAD", 3)
        torch.set_num_threads(4)
        try:
            parts = self.plan(planner, pairs, dataset)
        finally:
            torch.set_num_threads(before)
        assert_same_paths(parts, whole)

    def test_order_of_pairs_does_not_matter(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset
    ) -> None:
        """Shuffled pairs get the same paths, in their own order."""
        shuffled = pairs.sample(fraction=1.0, shuffle=True, seed=4)
        whole, other = (self.plan(planner, p, dataset) for p in (pairs, shuffled))
        assert other.outcomes["pair_id"].to_list() == shuffled["pair_id"].to_list()
        assert_same_paths(other.of_pairs(pairs), whole)

    def test_histories_may_be_a_mapping_and_users_unknown(
        self, planner: Planner, dataset: Dataset
    ) -> None:
        """Users nobody has seen are planned for, those with an empty history too."""
        items = dataset.items.ids
        histories = {"new": items[:3], "newer": [], dataset.users.ids[0]: items[4:5]}
        pairs = pl.DataFrame(
            {
                "pair_id": [3, 1, 2],
                "user_id": list(histories),
                "objective_id": [items[9], items[8], items[7]],
            }
        )
        paths = self.plan(planner, pairs, histories)
        assert (paths.outcomes["length"] > 0).all()

    def test_datasets_of_another_order(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset
    ) -> None:
        """What counts are the outside ids, not how a dataset numbers them."""
        expected = self.plan(planner, pairs, dataset)
        assert_same_paths(self.plan(planner, pairs, renumbered(dataset)), expected)

    def test_refused_pairs(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> None:
        """Pairs that make no sense are refused by name."""
        seen = dataset.items.decode(dataset.sequences.row(0)[:1])[0]

        def refused(error: type[Exception], match: str, *changes: pl.Expr, **options: Any) -> None:
            with pytest.raises(error, match=match):
                plan(planner, pairs.with_columns(*changes), dataset, **options)

        refused(DataError, f"objective '{seen}'.* already", pl.lit(seen).alias("objective_id"))
        refused(UnknownIdError, "nobody", pl.lit("nobody").alias("user_id"))
        refused(UnknownIdError, "no film", pl.lit("no film").alias("objective_id"))
        refused(DataError, "more than once", pl.lit(1).alias("pair_id"))
        refused(DataError, "whole numbers", pl.col("pair_id").cast(pl.String))
        refused(ConfigError, "max_length is 0", max_length=0)
        for column in ("pair_id", "user_id", "objective_id"):
            with pytest.raises(DataError, match=f"{column!r} is missing"):
                plan(planner, pairs.drop(column), dataset)
        with pytest.raises(UnknownIdError, match="no history"):
            plan(planner, pairs, {})

    def test_no_pairs(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> None:
        """Nothing in, nothing out, with the same columns."""
        paths, none = (self.plan(planner, p, dataset) for p in (pairs, pairs.clear()))
        assert (none.steps.height, none.outcomes.height) == (0, 0)
        assert none.steps.columns == paths.steps.columns
        assert none.outcomes.columns == paths.outcomes.columns

    def test_paths_survive_a_file(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset, tmp_path: Path
    ) -> None:
        """Written and read back, paths are the same."""
        paths = self.plan(planner, pairs, dataset)
        paths.write(tmp_path / "paths.parquet")
        assert_same_paths(Paths.read(tmp_path / "paths.parquet", pairs), paths, tolerance=1e-3)

    def test_step_only_proposes(self, planner: Planner, batch: PlanBatch) -> None:
        """Asked twice, a planner answers twice the same: only the state's methods record."""
        state = planner.start(batch)
        for _ in range(2):
            first, second = planner.step(state), planner.step(state)
            assert first.items_B.tolist() == second.items_B.tolist()
            assert first.items_B.dtype == np.int64
            assert first.scores_B.dtype == np.float32
            state.append(fill(first.items_B, state))
        assert state.step == 3

    def test_rejected_items_are_never_proposed_again(
        self, planner: Planner, batch: PlanBatch
    ) -> None:
        """Half of what is proposed is rejected; the path goes on without it."""
        rng = np.random.default_rng(8)
        state = planner.start(batch)
        barred = [set(batch.histories.row(r).tolist()) for r in range(len(state))]
        while state.step <= self.max_length:
            proposed = planner.step(state).items_B
            for row, item in enumerate(proposed.tolist()):
                assert item not in barred[row]
                barred[row] |= {item} - {0}
            if rng.random() < 0.5:
                some = np.where(rng.random(len(state)) < 0.7, proposed, 0)
                # Rows whose item was not rejected may get it again.
                for row in np.flatnonzero(some == 0).tolist():
                    barred[row].discard(int(proposed[row]))
                state.reject(some)
                continue
            shown = fill(proposed, state)
            for row, item in enumerate(shown.tolist()):
                barred[row].add(item)
            state.append(shown)

    def test_a_row_ends_when_everything_is_rejected(
        self, planner: Planner, batch: PlanBatch
    ) -> None:
        """Without anything left to show, the proposal is 0, in that row only."""
        state = planner.start(batch)
        kept = planner.step(state).items_B
        assert (kept > 0).all()
        for item in range(1, batch.items + 1):
            everything = np.zeros(len(state), dtype=np.int64)
            everything[1] = item
            state.reject(everything)
        proposed = planner.step(state).items_B
        assert proposed[1] == 0
        others = np.arange(len(state)) != 1
        assert proposed[others].tolist() == kept[others].tolist()

    def test_events_join_the_history_and_take_no_slot(
        self, planner: Planner, batch: PlanBatch
    ) -> None:
        """What the user does in between is known at the next step, and never shown."""
        state = planner.start(batch)
        planner.step(state)
        event = fill(np.zeros(len(state), dtype=np.int64), state)
        state.append(event, shown=False)
        assert state.step == 1
        longer = batch.histories.extend(Sequences.from_rows(event[:, None]))
        fresh = planner.start(
            PlanBatch(batch.users_B, longer, batch.objectives_B, batch.max_length, batch.items)
        )
        shown: list[IntArray] = []
        for _ in range(self.max_length):
            found, expected = planner.step(state), planner.step(fresh)
            assert found.items_B.tolist() == expected.items_B.tolist()
            np.testing.assert_allclose(found.scores_B, expected.scores_B, atol=TOLERANCE)
            assert not (found.items_B == event).any()
            for one in (state, fresh):
                one.append(fill(found.items_B, one))
            shown.append(state.known.last())
        assert [state.known.row(r)[-len(shown) :].tolist() for r in range(len(state))] == [
            [step[r] for step in shown] for r in range(len(state))
        ]

    @pytest.mark.parametrize("seed", [1, 2])
    def test_users_who_answer(self, planner: Planner, batch: PlanBatch, seed: int) -> None:
        """Accepted, rejected, ignored, with events in between, each row its own way.

        Nothing a user has or rejected is proposed, nothing ignored too early; and where the rows
        stand then is where a planner that starts from there stands, whatever objective it gets.
        """
        rng = np.random.default_rng(seed)
        session = Session(planner, batch)
        ignored: list[dict[int, int]] = [{} for _ in range(len(session))]
        barred = [set(batch.histories.row(r).tolist()) for r in range(len(session))]
        for slot in range(self.max_length - 1):
            proposed = session.propose().items_B
            responses = rng.integers(1, len(Response), size=len(proposed)).astype(np.int8)
            responses[proposed == 0] = Response.NOTHING
            for row, item in enumerate(proposed.tolist()):
                assert item not in barred[row]
                assert slot - ignored[row].get(item, -REST - 1) > REST
                if responses[row] == Response.IGNORED:
                    ignored[row][item] = slot
                else:
                    barred[row] |= {item} - {0}
            session.respond(proposed, responses)
            events = fill(np.zeros(len(session), dtype=np.int64), session.state)
            events[rng.random(len(session)) < 0.7] = 0
            for row, item in enumerate(events.tolist()):
                barred[row] |= {item} - {0}
            session.observe(events)
        assert session.slots_left == 1
        others = fill(np.zeros(len(session), dtype=np.int64), session.state)
        session.retarget(others)
        fresh = planner.start(
            PlanBatch(batch.users_B, session.state.known, others, batch.max_length, batch.items)
        )
        fresh.shown, fresh.barred_BI = session.state.shown, session.state.barred_BI.clone()
        found, expected = session.propose(), planner.step(fresh)
        assert found.items_B.tolist() == expected.items_B.tolist()
        np.testing.assert_allclose(found.scores_B, expected.scores_B, atol=TOLERANCE)
        session.respond(found.items_B, np.full(len(session), Response.ACCEPTED, dtype=np.int8))
        assert not session.propose().items_B.any(), "no slot is left"

    def test_rows_answer_for_themselves(self, planner: Planner, batch: PlanBatch) -> None:
        """What some users answer changes nothing for the others."""
        rng = np.random.default_rng(3)
        answers = rng.integers(1, len(Response), size=(self.max_length, len(batch.users_B)))
        whole = Session(planner, batch)
        rows = np.array([4, 1])
        few = Session(
            planner,
            PlanBatch(
                batch.users_B[rows],
                batch.histories.take(rows),
                batch.objectives_B[rows],
                batch.max_length,
                batch.items,
            ),
        )
        for responses in answers.astype(np.int8):
            expected, found = whole.propose(), few.propose()
            assert found.items_B.tolist() == expected.items_B[rows].tolist()
            np.testing.assert_allclose(found.scores_B, expected.scores_B[rows], atol=TOLERANCE)
            whole.respond(expected.items_B, responses)
            few.respond(found.items_B, responses[rows])

    @pytest.mark.parametrize("steps_before", [0, 1, 3])
    def test_kept_rows_go_on_as_if_nothing_happened(
        self, planner: Planner, batch: PlanBatch, steps_before: int
    ) -> None:
        """Dropping and reordering rows leaves what the others are shown."""
        whole, some = planner.start(batch), planner.start(batch)
        for _ in range(steps_before):
            shown = fill(planner.step(whole).items_B, whole)
            planner.step(some)
            whole.append(shown)
            some.append(shown)
        rows = np.array([7, 2, 9, 0])
        some.keep(rows)
        assert len(some) == 4
        for _ in range(self.max_length - steps_before):
            expected, found = planner.step(whole), planner.step(some)
            assert found.items_B.tolist() == expected.items_B[rows].tolist()
            np.testing.assert_allclose(found.scores_B, expected.scores_B[rows], atol=TOLERANCE)
            shown = fill(expected.items_B, whole)
            whole.append(shown)
            some.append(shown[rows])

    def test_next_item_scores(self, planner: Planner, batch: PlanBatch) -> None:
        """Where a planner ranks the catalogue, its proposal is the best that is allowed."""
        state = planner.start(batch)
        for _ in range(2):
            scores_BI = planner.next_item_scores(state)
            proposed = planner.step(state).items_B
            if scores_BI is not None:
                assert scores_BI.shape == (len(state), batch.items)
                assert torch.equal(scores_BI == -torch.inf, state.barred_BI)
                best = scores_BI.max(dim=1).values
                chosen = scores_BI.gather(1, torch.from_numpy(proposed)[:, None] - 1)[:, 0]
                torch.testing.assert_close(chosen, best, atol=TOLERANCE, rtol=0)
            state.append(fill(proposed, state))

    def test_config_round_trip(self, planner: Planner, tmp_path: Path) -> None:
        """The dials survive TOML."""
        path = tmp_path / "dials.toml"
        path.write_text(planner.config.to_toml())
        assert type(planner.config).from_toml(path) == planner.config

    def test_made_again(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset, tmp_path: Path
    ) -> None:
        """A planner on the saved and loaded model gives identical paths and scores."""
        again = self.make_again(planner, tmp_path / "model")
        assert again.label == planner.label
        paths, expected = (self.plan(p, pairs, dataset) for p in (again, planner))
        assert paths.steps.equals(expected.steps)
        assert paths.outcomes.equals(expected.outcomes)


def make_batch(planner: Planner, pairs: pl.DataFrame, histories: Any, max_length: int) -> PlanBatch:
    """Return pairs as the batch that ``plan`` would make of them."""
    known, objectives, users = encode_pairs(planner, pairs, histories)
    return PlanBatch(users, known, objectives, max_length, len(planner.items))


def fill(items_B: IntArray, state: State) -> IntArray:
    """Return items to show: the given ones, or for 0 the last that may be shown."""
    allowed_BI = ~state.barred_BI.numpy()
    # The objective may not be it, so that planning goes on.
    allowed_BI[np.arange(len(state)), state.objectives_B - 1] = False
    last_B = allowed_BI.shape[1] - allowed_BI[:, ::-1].argmax(axis=1)
    return np.where(items_B > 0, items_B, last_B)


def renumbered(dataset: Dataset) -> Dataset:
    """Return the same data with items and users in another order."""
    rng = np.random.default_rng(9)
    users = rng.permutation(len(dataset.users))
    order = rng.permutation(len(dataset.items))
    number = np.empty(len(order) + 1, dtype=np.int64)
    number[order + 1] = np.arange(1, len(order) + 1)
    sequences = dataset.sequences.take(users)
    return Dataset(
        name=dataset.name,
        preset=dataset.preset,
        sequences=Sequences(number[sequences.values], sequences.offsets),
        users=IdMap([dataset.users.ids[r] for r in users], 0, "user"),
        items=IdMap([dataset.items.ids[c] for c in order], 1, "item"),
        catalogue=dataset.catalogue[order],
    )


def assert_same_paths(found: Paths, expected: Paths, tolerance: float = TOLERANCE) -> None:
    """The same items in the same steps of the same pairs, and about the same scores."""
    steps = [paths.steps.sort("pair_id", "step") for paths in (found, expected)]
    assert steps[0].drop("score").equals(steps[1].drop("score"))
    np.testing.assert_allclose(steps[0]["score"], steps[1]["score"], atol=tolerance)
    outcomes = [paths.outcomes.sort("pair_id") for paths in (found, expected)]
    assert outcomes[0].equals(outcomes[1])
