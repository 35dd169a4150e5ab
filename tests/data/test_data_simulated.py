"""The simulated world: reproducible, learnable, and true to its formulas."""

from typing import Any

import numpy as np
import pytest

from influpath.data import (
    Dataset,
    Sequences,
    SimulatedWorld,
    WorldTruth,
    leave_last_out,
    load_dataset,
    prepare,
)
from influpath.data.titles import GENRES, WORDS, make_titles
from influpath.errors import ConfigError, UnknownIdError


@pytest.fixture(scope="module")
def world() -> Any:
    return SimulatedWorld()


@pytest.fixture(scope="module")
def dataset() -> Any:
    return load_dataset("simulated")


@pytest.fixture(scope="module")
def truth(world: SimulatedWorld, dataset: Dataset) -> Any:
    return world.truth(dataset)


SMALL: dict[str, Any] = {
    "items": 60, "users": 80, "genres": 4, "dimensions": 5, "shortest": 10, "longest": 15,
}  # fmt: skip


def test_size(dataset: Dataset) -> None:
    stats = dataset.stats()
    assert (stats["users"], stats["items"]) == (2000, 600)
    assert 40 <= dataset.sequences.lengths.min() <= dataset.sequences.lengths.max() <= 80
    assert dataset.catalogue["title"].n_unique() == 600
    assert dataset.catalogue["genres"].list.len().is_between(1, 2).all()
    assert dataset.report == {}


def test_each_item_comes_once_per_user(dataset: Dataset) -> None:
    pairs = dataset.sequences.row_of_value * 10_000 + dataset.sequences.values
    assert len(np.unique(pairs)) == len(pairs)


def test_the_seed_decides_everything() -> None:
    first, again = (SimulatedWorld(**SMALL, seed=3).generate() for _ in range(2))
    other = SimulatedWorld(**SMALL, seed=4).generate()
    assert first.events.equals(again.events)
    assert first.catalogue.equals(again.catalogue)
    assert not first.events.equals(other.events)
    assert prepare(first).fingerprint == prepare(again).fingerprint


def test_the_default_world_stays_the_same(dataset: Dataset) -> None:
    # A change of the world changes every result that was measured on it: say so in the changelog.
    assert dataset.items.ids[:4] == ["i0130", "i0037", "i0436", "i0084"]
    assert dataset.stats()["interactions"] == 120_660


def test_accepting_moves_the_taste_toward_the_item(truth: WorldTruth) -> None:
    users = np.arange(200)
    items = np.random.default_rng(0).integers(1, 601, size=200)
    before = truth.initial(users)
    after = truth.accept(before, items)
    vectors = truth.vectors[items - 1]
    assert ((after * vectors).sum(axis=1) > (before * vectors).sum(axis=1)).all()
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1.0)
    raised = truth.acceptance(after)[users, items - 1] > truth.acceptance(before)[users, items - 1]
    assert raised.all()


def test_rejecting_changes_nothing(truth: WorldTruth) -> None:
    before = truth.initial(np.arange(5))
    assert (truth.accept(before, np.zeros(5, dtype=np.int64)) == before).all()


def test_acceptance_is_a_probability_and_follows_the_formula(
    truth: WorldTruth, world: SimulatedWorld
) -> None:
    state = truth.state(Sequences.from_rows([[1, 2], [5], []]))
    probabilities = truth.acceptance(state)
    assert probabilities.shape == (3, 600)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    logit = world.steepness * (state[1] @ truth.vectors[6] - world.threshold) + truth.quality[6]
    assert probabilities[1, 6] == pytest.approx(1 / (1 + np.exp(-logit)))
    some = truth.acceptance(state, np.array([7, 600]))
    np.testing.assert_allclose(some, probabilities[:, [6, 599]])


def test_replay_in_one_go_equals_step_by_step(truth: WorldTruth, dataset: Dataset) -> None:
    rows = np.array([3, 50, 7])
    histories = dataset.sequences.take(rows)
    whole = truth.state(histories, rows)
    for b, row in enumerate(rows):
        state = truth.initial(np.array([row]))
        for item in histories.row(b):
            state = truth.accept(state, np.array([item]))
        np.testing.assert_allclose(whole[b], state[0])
    # One user's state does not depend on who else is in the batch.
    np.testing.assert_array_equal(whole[1:2], truth.state(histories.take(np.array([1])), rows[1:2]))


def test_unknown_users_start_from_the_mean(truth: WorldTruth) -> None:
    empty = Sequences.from_rows([[], []])
    np.testing.assert_array_equal(truth.state(empty), np.stack([truth.mean] * 2))
    mixed = truth.state(empty, np.array([-1, 4]))
    np.testing.assert_array_equal(mixed, np.stack([truth.mean, truth.tastes[4]]))


def test_next_item_is_a_distribution_over_unseen_items(truth: WorldTruth) -> None:
    seen = Sequences.from_rows([[1, 2], [3]])
    p = truth.next_item(truth.state(seen), seen)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert p[0, 0] == p[0, 1] == p[1, 2] == 0.0
    assert (p > 0).sum() == 1200 - 3


def hit_rate(scores: Any, split: Any) -> Any:
    histories = split.train.sequences
    scores = scores.copy()
    scores[histories.row_of_value, histories.values - 1] = -1.0
    top = np.argsort(-scores, axis=1)[:, :20] + 1
    return (top == split.held_out[:, None]).any(axis=1).mean()


def test_there_is_something_to_learn(truth: WorldTruth, dataset: Dataset) -> None:
    split = leave_last_out(dataset)
    histories = split.train.sequences
    counts = histories.counts(600)[1:].astype(np.float64)
    popular = hit_rate(np.tile(counts, (2000, 1)), split)
    follow = np.zeros((601, 601))
    same = histories.row_of_value[1:] == histories.row_of_value[:-1]
    np.add.at(follow, (histories.values[:-1][same], histories.values[1:][same]), 1.0)
    learnt = hit_rate(follow[histories.last(), 1:] + 1e-3 * counts, split)
    best = hit_rate(truth.next_item(truth.state(histories, np.arange(2000))), split)
    stale = hit_rate(truth.next_item(truth.initial(np.arange(2000))), split)
    assert popular < 0.2
    assert learnt > 1.5 * popular
    assert best > 2.5 * popular
    assert stale < best / 2  # tastes drift


def test_a_taste_can_be_led_to_most_objectives(truth: WorldTruth, dataset: Dataset) -> None:
    rng = np.random.default_rng(0)
    users = np.arange(200)
    state = truth.state(dataset.sequences.take(users), users)
    objective = rng.integers(1, 601, size=200)
    likeness = truth.vectors[objective - 1] @ truth.vectors.T
    start = truth.acceptance(state)[users, objective - 1]
    shown = np.zeros((200, 600), dtype=bool)
    shown[users, objective - 1] = True
    for _ in range(20):
        chance = truth.acceptance(state)
        chosen = np.where(shown, -1.0, chance * likeness).argmax(axis=1)
        shown[users, chosen] = True
        accepted = rng.random(200) < chance[users, chosen]
        state = truth.accept(state, np.where(accepted, chosen + 1, 0))
    end = truth.acceptance(state)[users, objective - 1]
    assert np.median(start) < 0.05
    assert np.median(end) > 0.5


def test_truth_follows_the_numbers_of_the_dataset() -> None:
    world = SimulatedWorld(**SMALL)
    log = world.generate()
    backwards = type(log)(log.name, log.events.reverse(), log.catalogue)
    first, second = prepare(log), prepare(backwards)
    assert first.items.ids != second.items.ids
    shared = [item for item in first.items.ids if item in second.items][:5]
    truths = [(world.truth(d), d) for d in (first, second)]
    chances = [
        t.acceptance(
            t.state(Sequences.from_rows([d.items.encode(shared[:3])]), d.rows_of(["u00002"])),
            d.items.encode(shared),
        )
        for t, d in truths
    ]
    np.testing.assert_allclose(chances[0], chances[1])


def test_a_foreign_dataset_is_refused(world: SimulatedWorld) -> None:
    foreign = prepare(SimulatedWorld(**SMALL).generate())
    with pytest.raises(UnknownIdError, match="not in this simulated world"):
        SimulatedWorld(**(SMALL | {"items": 40})).truth(foreign)


@pytest.mark.parametrize(
    "values", [{"drift": 0.0}, {"dimensions": 4}, {"shortest": 90}, {"genres": 99}]
)
def test_bad_settings(values: Any) -> None:
    with pytest.raises(ConfigError, match="world"):
        SimulatedWorld.parse(values, "world")


def test_titles_are_distinct_and_carry_their_genres() -> None:
    primary, second = [0] * 250, [1] * 250
    titles = make_titles(primary, second)
    assert len(set(titles)) == 250
    nouns = WORDS[GENRES[0]][1].split()
    adjectives = WORDS[GENRES[1]][0].split()
    first = titles[0].removeprefix("The ").split()
    assert first[0] in adjectives
    assert first[1] in nouns
    assert titles[100].endswith(", Part 2")
