"""What must hold for every planner while users answer."""

import numpy as np
import pytest

from influpath.planning.base import REST, PlanBatch, Planner
from influpath.planning.responses import Response
from influpath.planning.session import Session
from influpath.testing.planner_case import TOLERANCE, PlannerCase, fill


class ResponseConformance(PlannerCase):
    """Sessions with users who accept, reject and ignore, and take things on their own."""

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
