"""Users of the simulated world do what its truth says."""

import numpy as np
import pytest
import torch

from influpath.data.sequences import Sequences
from influpath.planning.direct import DirectPlanner
from influpath.simulation import LoopConfig, simulate

from .conftest import World


def test_they_are_the_worlds_own(world: World) -> None:
    rows = np.array([4, 9])
    histories = world.dataset.sequences.take(rows)
    users = world.users.begin(rows, histories)
    items = np.array([3, 8])
    users.take(np.array([5, 0]))
    truth = world.users.truth
    longer = Sequences.from_rows([[*histories.row(0), 5], histories.row(1)])
    tastes = truth.state(longer, rows)
    expected = truth.acceptance(tastes)[[0, 1], items - 1]
    assert users.acceptance(items).tolist() == pytest.approx(expected.tolist())
    np.testing.assert_allclose(users.log_probs().exp(), truth.next_item(tastes), atol=1e-6)
    assert bool(users.taken_BI[0, 4])
    users.keep(np.array([1]))
    np.testing.assert_allclose(users.log_probs().exp(), truth.next_item(tastes[1:]), atol=1e-6)


def test_they_accept_as_often_as_it_is_probable(world: World) -> None:
    """Over many users and seeds, accepted shares are the mean of the true probabilities."""
    accepted, probable = [], []
    for seed in range(20):
        rounds = simulate(
            DirectPlanner(world.dataset.items),
            world.users,
            world.pairs,
            world.dataset,
            LoopConfig(seed=seed, rounds=1),
        ).rounds
        accepted.append((rounds["response"] == "accepted").to_numpy())
        probable.append(rounds["acceptance"].to_numpy())
    hits, p = np.stack(accepted), np.stack(probable).astype(np.float64)
    error = (p * (1 - p)).sum() ** 0.5
    assert abs(hits.sum() - p.sum()) < 4 * error
    assert p.sum() > 10


def test_events_are_drawn_as_the_log_was(world: World) -> None:
    """The share of each item among what users take on their own is the true one."""
    rows = np.zeros(4000, dtype=np.int64)
    from influpath.simulation.audience import Audience
    from influpath.simulation.chance import Chance

    histories = world.dataset.sequences.take(rows)
    users = world.users.begin(rows, histories)
    expected = users.log_probs()[0].double().exp().masked_fill(users.taken_BI[0], 0.0)
    audience = Audience(
        users, np.full(4000, 1), Chance.of(1, np.arange(4000)), LoopConfig(event_share=1.0)
    )
    answers = audience.show(np.zeros(4000, dtype=np.int64))
    events = answers.events_B[~answers.left_B]
    found = torch.bincount(torch.from_numpy(events), minlength=41)[1:].double() / len(events)
    shares = expected / expected.sum()
    assert (
        float((found - shares).abs().max()) < 4 * float((shares * (1 - shares)).max() / 4000) ** 0.5
    )
