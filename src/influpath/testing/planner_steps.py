"""What must hold for the steps of every planner, whatever became of what it proposed."""

import numpy as np
import pytest
import torch

from influpath.data.sequences import IntArray, Sequences
from influpath.planning.base import PlanBatch, Planner
from influpath.testing.planner_case import TOLERANCE, PlannerCase, fill


class StepConformance(PlannerCase):
    """Proposals on a state that is told what was shown, rejected and done, and which rows stay."""

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
