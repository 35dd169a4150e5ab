"""POP, BPR and TransRec: their formulas and what they learn; BPR against an independent library."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.recommenders.base import Recommender
from influpath.recommenders.bpr import BPR, RIDGE
from influpath.recommenders.pairwise import (
    Batch,
    PairwiseRecommender,
    PairwiseTask,
    pairwise_loss,
)
from influpath.recommenders.pop import POP
from influpath.recommenders.ranking import target_ranks
from influpath.recommenders.transrec import TransRec
from influpath.recommenders.validation import Validation
from influpath.registry import recommender_class
from influpath.testing import RecommenderConformance

SMALL: dict[str, Any] = {
    "embedding_size": 8,
    "batch_size": 64,
    "seed": 4,
    "training": {"epochs": 6, "learning_rate": 2e-2},
}
PAIRWISE = pytest.mark.parametrize("kind", [BPR, TransRec])
LOSSES = pytest.mark.parametrize("loss", ["bpr", "softmax"])
ROWS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=14), min_size=1, max_size=8)


class TestPOP(RecommenderConformance):
    recommender = POP

    def test_history_matters(self, model: Recommender, histories: Sequences) -> None:
        """Popularity is the same for everyone."""
        log_probs_RI = model.log_probs(histories, np.arange(len(histories)))
        assert torch.equal(log_probs_RI, log_probs_RI[:1].expand_as(log_probs_RI))
        assert log_probs_RI[0].std() > 0.1


class TestBPR(RecommenderConformance):
    recommender = BPR
    settings = SMALL


class TestTransRec(RecommenderConformance):
    recommender = TransRec
    settings = SMALL


def dataset_of(rows: Any, items: int) -> Dataset:
    ids = [f"i{n}" for n in range(items)]
    sequences = Sequences.from_rows(rows)
    return Dataset(
        name="small",
        preset="custom",
        sequences=sequences,
        users=IdMap(range(len(sequences)), 0, "user"),
        items=IdMap(ids, 1, "item"),
        catalogue=pl.DataFrame({"item_id": ids, "title": None, "genres": None}),
    )


def built(kind: type[PairwiseRecommender], dataset: Dataset, **changes: Any) -> Any:
    """Return an untrained model with random weights of everyday size, and its task."""
    model = kind(**{**SMALL, **changes})
    model._items, model._users = dataset.items, dataset.users
    torch.manual_seed(8)
    model.module = model._build()
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return model, PairwiseTask(model, dataset)


def test_they_are_found_by_name() -> None:
    assert [recommender_class(n) for n in ("pop", "bpr", "transrec")] == [POP, BPR, TransRec]


@settings(deadline=None, max_examples=50)
@given(ROWS)
def test_validation_leaves_out_last_items_and_nothing_else(rows: Any) -> None:
    sequences = Sequences.from_rows(rows)
    validation = Validation.of(sequences)
    held = dict(zip(validation.users_R.tolist(), validation.targets_R.tolist(), strict=True))
    for row, items in enumerate(rows):
        kept = validation.train.row(row).tolist()
        assert [*kept, *([held[row]] if row in held else [])] == items
        assert kept
    for place, row in enumerate(held):
        assert validation.histories.row(place).tolist() == validation.train.row(row).tolist()


@pytest.mark.parametrize("smoothing", [0.01, 1.0, 30.0])
def test_pop_is_the_smoothed_share(tiny: Dataset, smoothing: float) -> None:
    model = POP(smoothing=smoothing).fit(tiny)
    counts = np.array([(tiny.sequences.values == n).sum() for n in range(1, 25)])
    expected = (counts + smoothing) / (len(tiny.sequences.values) + smoothing * 24)
    found = model.log_probs(Sequences.from_rows([[], [3]])).exp()
    torch.testing.assert_close(found, torch.tensor(expected).float().expand(2, -1))
    # Its own validation counts without the items that it is asked for.
    validation = Validation.of(tiny.sequences)
    scores = torch.from_numpy(validation.train.counts(24)[1:]).expand(len(validation.users_R), -1)
    ranks = target_ranks(scores.double(), validation.histories, validation.targets_R)
    assert model.history["best"] == (ranks <= 20).mean()
    assert model.history["epochs"][0]["mrr"] == pytest.approx((1 / ranks).mean())


@PAIRWISE
@LOSSES
@settings(deadline=None, max_examples=25)
@given(rows=ROWS, seed=st.integers(0, 2**20))
@example(rows=[[*range(1, 10), 1]], seed=0)
def test_an_epoch_holds_every_transition_once(
    kind: type[PairwiseRecommender], loss: str, rows: Any, seed: int
) -> None:
    """Negatives were never interacted with; without one an interaction cannot be compared."""
    _, task = built(kind, dataset_of(rows, items=9), loss=loss, batch_size=7)
    train = task.validation.train
    expected, seen = [], [set(train.row(user).tolist()) for user in range(len(train))]
    for user in range(len(train)):
        items = train.row(user).tolist()
        if loss == "softmax" or len(seen[user]) < 9:
            expected += [(user, *pair) for pair in zip([0, *items[:-1]], items, strict=True)]
    batches = task.batches(np.random.default_rng(seed))
    found = [
        transition
        for batch in batches
        for transition in zip(*(column.tolist() for column in batch[:3]), strict=True)
    ]
    assert sorted(found) == sorted(expected)
    for batch in batches:
        assert 1 <= len(batch.items_B) <= 7
        assert (batch.unseen_B is None) == (loss == "softmax")
        if batch.unseen_B is not None:
            for user, item in zip(batch.users_B.tolist(), batch.unseen_B.tolist(), strict=True):
                assert 1 <= item <= 9
                assert item not in seen[user]


@PAIRWISE
def test_every_epoch_draws_anew(tiny: Dataset, kind: type[PairwiseRecommender]) -> None:
    _, task = built(kind, tiny, batch_size=10_000)
    drawn = []
    for seed in (1, 1, 2):
        (batch,) = task.batches(np.random.default_rng(seed))
        order = np.lexsort([batch.items_B.numpy(), batch.users_B.numpy()])
        drawn.append(batch.unseen_B.numpy()[order].tolist())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.filterwarnings("error")
def test_users_who_had_everything_are_left_out(tiny: Dataset) -> None:
    rows = [np.arange(1, 7)] * 3
    model = BPR(**SMALL).fit(dataset_of(rows, items=6))
    # Only the validation user lacks an item; all others have nothing to compare with.
    assert np.isfinite(model.history["epochs"][-1]["loss"])
    nothing = TransRec(**SMALL).fit(dataset_of([[1, 2], [2, 1, 1]], items=2))
    assert torch.isfinite(nothing.log_probs(Sequences.from_rows([[1], []]))).all()


def scores_by_hand(model: Any, user: int, previous: int) -> Any:
    """x_j of every item j, straight from the papers' formulas, in numpy."""
    weights = {name: tensor.double().numpy() for name, tensor in model._weights().items()}
    if model.name == "bpr":
        return weights["item.weight"] @ weights["user.weight"][user] + weights["bias"]
    point = weights["item.weight"]
    point = point / np.maximum(1.0, np.linalg.norm(point, axis=1, keepdims=True))
    own = weights["user.weight"][user] if user >= 0 else 0.0
    reached = point[previous] + weights["translation"] + own
    return weights["bias"] - ((reached - point[1:]) ** 2).sum(1)


def penalty_by_hand(model: Any, user: int, previous: int, items: list[int]) -> float:
    """The sum of squares of what an example touches."""
    weights = {name: tensor.double().numpy() for name, tensor in model._weights().items()}
    first = 1 if model.name == "bpr" else 0
    touched = [weights["user.weight"][user]]
    touched += [weights["item.weight"][n - first] for n in items]
    touched += [weights["bias"][n - 1] for n in items]
    if model.name == "transrec":
        touched += [weights["item.weight"][previous], weights["translation"]]
    return float(sum(np.square(part).sum() for part in touched))


@PAIRWISE
@LOSSES
def test_losses_equal_a_direct_computation(
    tiny: Dataset, kind: type[PairwiseRecommender], loss: str
) -> None:
    model, task = built(kind, tiny, loss=loss, regularisation=0.02, batch_size=16)
    batch: Batch = task.batches(np.random.default_rng(0))[0]
    found, count = task.loss(batch, np.random.default_rng(0))
    terms = []
    for n in range(count):
        user, previous, item = (int(column[n]) for column in batch[:3])
        x = scores_by_hand(model, user, previous)
        items = [item]
        if batch.unseen_B is not None:
            items.append(int(batch.unseen_B[n]))
            fit = np.log1p(np.exp(x[items[1] - 1] - x[item - 1]))
        else:
            fit = np.log(np.exp(x).sum()) - x[item - 1]
        terms.append(fit + 0.02 * penalty_by_hand(model, user, previous, items))
    assert count == 16
    assert float(found.detach()) == pytest.approx(np.mean(terms), rel=1e-5)


@PAIRWISE
@LOSSES
def test_gradients_equal_finite_differences(
    tiny: Dataset, kind: type[PairwiseRecommender], loss: str
) -> None:
    model, task = built(kind, tiny, loss=loss, regularisation=0.02)
    module = model.module.double()
    with torch.no_grad():
        # Strictly inside the unit ball, where projection leaves the points alone.
        module.item.weight *= 0.5 / module.item.weight.norm(dim=1, keepdim=True)
    batch = task.batches(np.random.default_rng(0))[0]
    parameters = list(module.parameters())

    def value() -> Any:
        return task.loss(batch, np.random.default_rng(0))[0]

    gradients = torch.autograd.grad(value(), parameters)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    generator = torch.Generator().manual_seed(1)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter += 1e-6 * direction
            above = value()
            parameter -= 2e-6 * direction
            below = value()
            parameter += 1e-6 * direction
        slope = float((above - below) / 2e-6)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-4, abs=1e-8)


def test_pairwise_loss_falls_with_the_margin() -> None:
    query, weight = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 5.0], [0.5, -7.0]])
    bias = torch.tensor([0.25, 0.0])
    first, second = torch.tensor([1]), torch.tensor([2])
    right = pairwise_loss(query, weight, bias, first, second)
    assert float(right) == pytest.approx(np.log1p(np.exp(-1.75)))
    wrong = pairwise_loss(query, weight, bias, second, first)
    assert float(wrong - right) == pytest.approx(1.75)


@PAIRWISE
def test_predictions_equal_the_formula(tiny: Dataset, kind: type[PairwiseRecommender]) -> None:
    """For TransRec: the linear form gives what the distances give."""
    model, _ = built(kind, tiny)
    model.module.project()
    rows, users = np.array([0, 5, 9]), np.array([0, 5, -1 if kind is TransRec else 9])
    histories = tiny.sequences.take(rows)
    found = model.log_probs(histories, users)
    for row, user in enumerate(users):
        x = torch.from_numpy(scores_by_hand(model, int(user), int(histories.last()[row])))
        torch.testing.assert_close(found[row], torch.log_softmax(x, 0).float())
    # A user's vector has the promised product with the items'.
    vectors = model.user_vectors(histories, users)
    products = vectors @ model.item_vectors().T + model.module.output()[1].detach()
    torch.testing.assert_close(torch.log_softmax(products, 1), found)


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(0.01, 20.0), seed=st.integers(0, 2**20))
def test_projection_is_the_nearest_point_of_the_unit_ball(scale: float, seed: int) -> None:
    model, _ = built(TransRec, dataset_of([[1, 2, 3]], items=5))
    points = torch.from_numpy(np.random.default_rng(seed).normal(0, scale, size=(6, 8))).float()
    with torch.no_grad():
        model.module.item.weight.copy_(points)
    model.module.project()
    found = model.module.item.weight.detach()
    norms = points.norm(dim=1)
    assert (found.norm(dim=1) <= 1 + 1e-6).all()
    assert torch.equal(found[norms <= 1], points[norms <= 1])
    torch.testing.assert_close(F.normalize(found, dim=1), F.normalize(points, dim=1))


@LOSSES
def test_transrec_stays_in_the_unit_ball(tiny: Dataset, loss: str) -> None:
    hasty = {"epochs": 3, "learning_rate": 0.5}
    model = TransRec(**{**SMALL, "loss": loss, "training": hasty}).fit(tiny)
    norms = model.module.item.weight.norm(dim=1)
    assert (norms <= 1 + 1e-6).all()
    assert (norms > 1 - 1e-6).any()
    assert (model.item_vectors().norm(dim=1) <= 1 + 1e-6).all()


def test_transrec_starts_as_in_the_paper(tiny: Dataset) -> None:
    model = TransRec(**SMALL)
    model._items, model._users = tiny.items, tiny.users
    module = model._build()
    torch.testing.assert_close(module.item.weight.norm(dim=1), torch.ones(25))
    torch.testing.assert_close(module.translation.norm(), torch.ones(()))
    assert not module.user.weight.any()
    assert not module.bias.any()


def test_transrec_sees_the_last_item_and_the_user(tiny: Dataset) -> None:
    model, _ = built(TransRec, tiny)
    histories = Sequences.from_rows([[1, 2, 3], [7, 3], [3, 2], []])
    same, also, other, start = model.log_probs(histories, np.zeros(4, dtype=np.int64))
    assert torch.equal(same, also)
    assert (same - other).abs().max() > 0.01
    assert (start - other).abs().max() > 0.01
    unknown = model.log_probs(histories)
    assert (unknown[0] - same).abs().max() > 0.01
    # An unknown user's own translation is 0.
    with torch.no_grad():
        model.module.user.weight[0] = 0.0
    torch.testing.assert_close(model.log_probs(histories, np.zeros(4, dtype=np.int64)), unknown)


def test_bpr_knows_its_users_by_their_factor(tiny: Dataset) -> None:
    model, _ = built(BPR, tiny)
    histories = Sequences.from_rows([[1, 2, 3], [7], []])
    first, second, third = model.log_probs(histories, np.array([2, 2, 2]))
    assert torch.equal(first, second)
    assert torch.equal(first, third)


def test_bpr_folds_unknown_users_in_by_ridge_regression(tiny: Dataset) -> None:
    model, _ = built(BPR, tiny)
    model.module.fit_fold_in(tiny.sequences)
    item = model.item_vectors().double().numpy()
    user = model.module.user.weight.detach().double().numpy()
    taste = np.stack([item[tiny.sequences.row(r) - 1].mean(0) for r in range(len(user))])
    x, y = taste - taste.mean(0), user - user.mean(0)
    # Ridge regression as ordinary least squares with pseudo-observations.
    strength = np.sqrt(RIDGE * np.square(x).sum() / 8)
    map_DD = np.linalg.lstsq(
        np.vstack([x, strength * np.eye(8)]), np.vstack([y, np.zeros((8, 8))]), rcond=None
    )[0]
    expected = user.mean(0) + (item[[3, 9]].mean(0) - taste.mean(0)) @ map_DD
    histories = Sequences.from_rows([[4, 10], []])
    found = model.user_vectors(histories, np.array([-1, -1])).double().numpy()
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(found[1], user.mean(0), atol=1e-6)
    # Where the factors do follow from the items, the fold-in finds the map.
    with torch.no_grad():
        model.module.user.weight.copy_(torch.from_numpy(3 * taste + 1.0))
    model.module.fit_fold_in(tiny.sequences)
    found = model.user_vectors(tiny.sequences).numpy()
    assert np.corrcoef(found.ravel(), (3 * taste + 1.0).ravel())[0, 1] > 0.98


@PAIRWISE
def test_resumed_training_is_the_uninterrupted_one(
    tiny: Dataset,
    kind: type[PairwiseRecommender],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = kind(**SMALL).fit(tiny)
    validate, calls = PairwiseTask.validate, []

    def interrupted(task: PairwiseTask) -> dict[str, float]:
        calls.append(task)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return validate(task)

    monkeypatch.setattr(PairwiseTask, "validate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kind(**SMALL).fit(tiny, checkpoint=tmp_path / "checkpoint")
    resumed = kind(**SMALL).fit(tiny, checkpoint=tmp_path / "checkpoint")
    assert len(calls) == 3 + 4
    for name, tensor in whole._weights().items():
        assert torch.equal(resumed._weights()[name], tensor), name


class Tastes:
    """A log of users with tastes: each item in proportion to exp(taste . item + popularity)."""

    users, items, length = 250, 150, 24

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        taste, item = rng.normal(size=(self.users, 4)), rng.normal(size=(self.items, 4))
        likes = 1.2 * taste @ item.T + rng.normal(0, 0.5, size=self.items)
        # Gumbel noise: the largest are a sample without replacement.
        drawn = np.argsort(-(likes + rng.gumbel(size=likes.shape)), axis=1)[:, : self.length]
        rows = rng.permuted(drawn, axis=1) + 1
        self.train = dataset_of(rows[:, :-1], self.items)
        self.histories, self.targets = self.train.sequences, rows[:, -1].astype(np.int64)

    def hit_rate(self, scores_RI: torch.Tensor) -> float:
        """HR@10 of the held-out items."""
        return float((target_ranks(scores_RI, self.histories, self.targets) <= 10).mean())


@pytest.fixture(scope="module")
def tastes() -> Tastes:
    return Tastes()


@pytest.fixture(scope="module")
def learned_bpr(tastes: Tastes) -> BPR:
    training = {"epochs": 40, "learning_rate": 2e-2, "validate_every": 40}
    return BPR(
        embedding_size=8, batch_size=512, regularisation=5e-3, seed=1, training=training
    ).fit(tastes.train)


def test_bpr_learns_tastes(tastes: Tastes, learned_bpr: BPR) -> None:
    users = np.arange(tastes.users)
    popular = tastes.hit_rate(POP().fit(tastes.train).log_probs(tastes.histories))
    known = tastes.hit_rate(learned_bpr.log_probs(tastes.histories, users))
    unknown = tastes.hit_rate(learned_bpr.log_probs(tastes.histories))
    assert popular > 10 / tastes.items
    assert known > 2 * popular
    # Folded in from their histories, users are served nearly as well as with their own factors.
    assert unknown > known - 0.05
    softmax = BPR(
        embedding_size=8,
        loss="softmax",
        batch_size=512,
        seed=1,
        training={"epochs": 15, "learning_rate": 2e-2, "validate_every": 15},
    ).fit(tastes.train)
    assert tastes.hit_rate(softmax.log_probs(tastes.histories, users)) > 2 * popular


def test_bpr_agrees_with_implicit(tastes: Tastes, learned_bpr: BPR) -> None:
    with warnings.catch_warnings():
        # It warns of the thread settings of whatever BLAS it finds.
        warnings.simplefilter("ignore")
        implicit_bpr = pytest.importorskip("implicit.cpu.bpr")
        reference = implicit_bpr.BayesianPersonalizedRanking(
            factors=8,
            learning_rate=0.05,
            regularization=0.05,
            iterations=300,
            num_threads=1,
            random_state=1,
        )
        sequences = tastes.train.sequences
        ones = np.ones(len(sequences.values), dtype=np.float32)
        cells = (sequences.row_of_value, sequences.values - 1)
        reference.fit(
            csr_matrix((ones, cells), shape=(tastes.users, tastes.items)), show_progress=False
        )
    theirs = torch.from_numpy(np.asarray(reference.user_factors @ reference.item_factors.T))
    ours = learned_bpr.log_probs(tastes.histories, np.arange(tastes.users))
    assert tastes.hit_rate(theirs) > 0.4
    assert tastes.hit_rate(ours) >= tastes.hit_rate(theirs) - 0.03
    agreement = [
        spearmanr(mine, other).statistic
        for mine, other in zip(ours.numpy(), theirs.numpy(), strict=True)
    ]
    assert np.mean(agreement) > 0.7
    assert np.quantile(agreement, 0.05) > 0.3


@LOSSES
def test_transrec_learns_where_users_go_next(loss: str) -> None:
    """A ring of items in steps of 4: the item before is the only clue."""
    ring = [(user + 4 * np.arange(6 + user % 7)) % 15 + 1 for user in range(60)]
    training = {"epochs": 80, "learning_rate": 2e-2, "validate_every": 80}
    model = TransRec(
        embedding_size=16,
        loss=loss,
        regularisation=1e-4,
        batch_size=128,
        seed=2,
        training=training,
    ).fit(dataset_of(ring, items=15))
    walks = [(start + 4 * np.arange(3 + start % 3)) % 15 + 1 for start in range(15)]
    histories = Sequences.from_rows([walk[:-1] for walk in walks])
    ranks = target_ranks(
        model.log_probs(histories), histories, np.array([walk[-1] for walk in walks])
    )
    assert (ranks == 1).mean() >= 0.9
