"""The planners that re-rank a recommender's top k, against brute force."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rerank_cases import ITEMS, KINDS, Case, Counted, M, Personal, assert_ranked, cases, with_genres
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.planning import item_distance
from influpath.planning.algorithm import plan
from influpath.planning.base import Planner
from influpath.planning.candidates import order_by_value
from influpath.planning.ipg import IPGPlanner
from influpath.planning.lookahead import LookaheadPlanner
from influpath.planning.oracle import OraclePlanner
from influpath.planning.parts import PlannerParts
from influpath.planning.rec2inf import Rec2InfPlanner
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders import sasrec as sasrec_module
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.item2vec import item2vec
from influpath.recommenders.sasrec import SASRec
from influpath.registry import make_planner
from influpath.testing import PlannerConformance, tiny_dataset, tiny_pairs
from influpath.testing.planner_conformance import renumbered


@pytest.fixture(scope="module")
def genred(tiny: Dataset) -> Dataset:
    return with_genres(tiny)


@pytest.fixture(scope="module")
def counted(tiny: Dataset) -> Counted:
    return Counted().fit(tiny)


@pytest.fixture(scope="module")
def personal(tiny: Dataset) -> Personal:
    return Personal().fit(tiny)


class TestRec2InfByGenre(PlannerConformance):
    @pytest.fixture
    def planner(self, sasrec: SASRec, genred: Dataset) -> Planner:
        return Rec2InfPlanner(sasrec, k=(4, 6), distance="genre", dataset=genred)

    def make_again(self, planner: Planner, folder: Path) -> Planner:
        return again(planner, folder, dataset=with_genres(tiny_dataset()))


class TestRec2InfByItem2vec(PlannerConformance):
    """On a recommender without vectors of its own."""

    @pytest.fixture
    def planner(self, counted: Counted, dataset: Dataset) -> Planner:
        return Rec2InfPlanner(
            counted, k=5, distance="item2vec", item2vec_size=4, item2vec_seed=1, dataset=dataset
        )

    def make_again(self, planner: Planner, folder: Path) -> Planner:
        return again(planner, folder, dataset=tiny_dataset())


class TestIPG(PlannerConformance):
    @pytest.fixture
    def planner(self, sasrec: SASRec) -> Planner:
        return IPGPlanner(sasrec, k=(5, 8))


class TestIPGByTheFormulaOfThePaper(PlannerConformance):
    @pytest.fixture
    def planner(self, bert4rec: BERT4Rec) -> Planner:
        return IPGPlanner(bert4rec, k=ITEMS, user_update="average")


class TestLookahead(PlannerConformance):
    @pytest.fixture
    def planner(self, sasrec: SASRec) -> Planner:
        return LookaheadPlanner(sasrec, k=(1, 1, 7))


def again(planner: Any, folder: Path, **parts: Any) -> Planner:
    planner.model.save(folder)
    made: Planner = type(planner)(type(planner.model).load(folder), planner.config, **parts)
    return made


@pytest.mark.parametrize("name", ["sasrec", "bert4rec", "counted", "personal"])
@settings(max_examples=25, deadline=None)
@given(case=cases())
def test_lookahead_and_oracle_are_brute_force(
    request: pytest.FixtureRequest, name: str, case: Case
) -> None:
    """What comes first is what makes the objective most probable, of all the candidates."""
    model: Recommender = request.getfixturevalue(name)
    value_I = model.log_probs(*case.after)[:, case.objective - 1]
    for planner in (LookaheadPlanner(model, k=case.k), OraclePlanner(model, k=case.k)):
        assert_ranked(planner, case, value_I)
        shown = planner.step(case.begin(planner))
        assert (shown.scores_B[0] == 0) == (shown.items_B[0] == case.objective)


@pytest.mark.parametrize("similarity", ["inner", "cosine"])
@pytest.mark.parametrize("user_update", ["model", "average"])
@pytest.mark.parametrize("name", ["sasrec", "bert4rec", "personal"])
@settings(max_examples=10, deadline=None)
@given(case=cases())
def test_ipg_is_its_formula(
    request: pytest.FixtureRequest, name: str, user_update: Any, similarity: Any, case: Case
) -> None:
    """p(i | s) times the step toward the objective; the objective is one of them."""
    model: Any = request.getfixturevalue(name)

    def towards_objective(vectors: Tensor) -> Tensor:
        target_D = model.item_vectors()[case.objective - 1]
        if similarity == "cosine":
            return torch.cosine_similarity(vectors, target_D[None], dim=1)
        products: Tensor = vectors @ target_D
        return products

    vectors = model.user_vectors(*case.after) if user_update == "model" else model.item_vectors()
    moved_I = towards_objective(vectors) - towards_objective(model.user_vectors(*case.now))
    planner = IPGPlanner(model, k=case.k, user_update=user_update, similarity=similarity)
    value_I = model.log_probs(*case.now)[0].exp() * moved_I
    assert_ranked(planner, case, value_I, objective_first=False)


@pytest.mark.parametrize("name", ["sasrec", "counted"])
@settings(max_examples=25, deadline=None)
@given(case=cases(), kinds=st.lists(st.sets(st.sampled_from("abc")), min_size=1, max_size=5))
def test_rec2inf_by_genre_counts_differing_genres(
    request: pytest.FixtureRequest, tiny: Dataset, name: str, case: Case, kinds: list[set[str]]
) -> None:
    """Genre twins are equally far: the objective comes first, then the more probable one."""
    model: Recommender = request.getfixturevalue(name)
    named = [*kinds, {"a", "b"}]
    dataset = with_genres(tiny, [sorted(kind) for kind in named])
    genres = [named[n % len(named)] for n in range(ITEMS)]
    differing = [len(kind ^ genres[case.objective - 1]) for kind in genres]
    planner = Rec2InfPlanner(model, k=case.k, distance="genre", dataset=dataset)
    assert_ranked(planner, case, -torch.tensor(differing).float().sqrt(), ties=True)


@settings(max_examples=25, deadline=None)
@given(case=cases(), seed=st.integers(0, 99))
def test_rec2inf_by_given_vectors(sasrec: SASRec, case: Case, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(ITEMS, 3)).astype(np.float32)
    unit = torch.nn.functional.normalize(torch.from_numpy(vectors), dim=1)
    planner = Rec2InfPlanner(sasrec, k=case.k, item_vectors=vectors)
    assert_ranked(planner, case, unit @ unit[case.objective - 1])


@settings(max_examples=25, deadline=None)
@given(case=cases())
def test_twins_of_any_length_are_ranked_by_score(sasrec: SASRec, case: Case) -> None:
    """Their cosines differ in the last bits; the recommender's score decides all the same."""
    one = np.random.default_rng(len(case.history)).normal(size=17)
    vectors = np.outer(np.linspace(1, 2, ITEMS), one).astype(np.float32)
    planner = Rec2InfPlanner(sasrec, k=case.k, item_vectors=vectors)
    assert_ranked(planner, case, torch.ones(ITEMS), ties=True)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(1, 8).flatmap(
        lambda k: st.lists(
            st.lists(
                st.sampled_from([-np.inf, -2.0, 0.0, 0.5, 3.0, np.inf]), min_size=k, max_size=k
            ),
            min_size=1,
            max_size=4,
        )
    ),
    noise=st.integers(0, 9),
)
def test_order_by_value(rows: list[list[float]], noise: int) -> None:
    """Highest first; equal ones keep their order, noise or not."""
    shaken = torch.tensor(rows) + 1e-7 * torch.rand(
        len(rows), len(rows[0]), generator=torch.Generator().manual_seed(noise)
    )
    expected = [np.argsort([-value for value in row], kind="stable").tolist() for row in rows]
    assert order_by_value(torch.tensor(rows)).tolist() == expected
    assert order_by_value(shaken, tolerance=1e-6).tolist() == expected


@pytest.mark.parametrize("name", ["sasrec", "bert4rec"])
@settings(max_examples=25, deadline=None)
@given(case=cases())
def test_user_vectors_predict_with_item_vectors(
    request: pytest.FixtureRequest, name: str, case: Case
) -> None:
    """Inner products and a bias per item are the model; branches give what histories give."""
    model: Any = request.getfixturevalue(name)
    after_ID = model.user_vectors(*case.after)
    every_1I = np.arange(1, ITEMS + 1)[None]
    torch.testing.assert_close(
        model.user_vectors_after(case.now[0], every_1I)[0], after_ID, atol=1e-5, rtol=0
    )
    logits_II = after_ID @ model.item_vectors().T + model.module.bias.detach()
    torch.testing.assert_close(
        logits_II.log_softmax(1), model.log_probs(*case.after), atol=1e-5, rtol=0
    )


def test_the_oracle_is_the_lookahead_of_the_judge(sasrec: SASRec, tiny: Dataset) -> None:
    pairs = tiny_pairs(tiny, seed=3)
    oracle, blind = (
        plan(planner, pairs, tiny, max_length=M)
        for planner in (OraclePlanner(sasrec, k=4), LookaheadPlanner(sasrec, k=4))
    )
    assert oracle.steps.equals(blind.steps)
    assert 0 < oracle.outcomes["reached"].sum() < pairs.height


def test_a_schedule_that_turns_late(sasrec: SASRec, tiny: Dataset) -> None:
    """Plain for three steps; then the whole catalogue, and so the objective."""
    pairs = tiny_pairs(tiny, seed=3)
    plain = plan(VanillaPlanner(sasrec), pairs, tiny, max_length=M)
    late = plan(LookaheadPlanner(sasrec, k=(1, 1, 1, 1000)), pairs, tiny, max_length=M)
    for pair, objective in pairs.select("pair_id", "objective_id").iter_rows():
        path = late.items_of(pair)
        assert path[:3] == plain.items_of(pair)[:3]
        assert path[3:] == ([] if objective in path[:3] else [objective])


def test_what_ipg_and_the_lookahead_are_for(sasrec: SASRec, tiny: Dataset) -> None:
    """Both reach more objectives than the recommender alone does."""
    pairs = tiny_pairs(tiny, seed=3)

    def reached(planner: Planner) -> int:
        return int(plan(planner, pairs, tiny, max_length=M).outcomes["reached"].sum())

    alone = reached(VanillaPlanner(sasrec))
    assert reached(LookaheadPlanner(sasrec, k=5)) > alone
    assert reached(IPGPlanner(sasrec, k=12)) > alone


def test_memory_bounds_do_not_change_paths(
    sasrec: SASRec, bert4rec: BERT4Rec, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = tiny_pairs(tiny, count=12)

    def paths() -> list[pl.DataFrame]:
        planners = [
            kind(model, k=4)
            for kind in (IPGPlanner, LookaheadPlanner)
            for model in (sasrec, bert4rec)
        ]
        return [plan(p, pairs, tiny, max_length=M).steps.drop("score") for p in planners]

    whole = paths()
    monkeypatch.setattr(sasrec_module, "PEEK_POSITIONS", 12)
    monkeypatch.setattr(Recommender, "chunk_rows", lambda self: 7)
    for found, expected in zip(paths(), whole, strict=True):
        assert found.equals(expected)


def test_a_batch_size_below_one_is_refused(sasrec: SASRec, tiny: Dataset) -> None:
    with pytest.raises(ConfigError, match="batch_size is 0"):
        plan(LookaheadPlanner(sasrec), tiny_pairs(tiny), tiny, batch_size=0)


def test_planners_are_made_by_label(sasrec: SASRec, bert4rec: BERT4Rec, genred: Dataset) -> None:
    """Rec2Inf gets the dataset; the oracle gets the judge."""
    parts = PlannerParts({"sasrec": sasrec}, genred, bert4rec)
    made: Any = make_planner("rec2inf/sasrec", parts, {"distance": "genre", "k": "7"})
    assert made.config.k == 7
    assert torch.equal(made.distance.vectors_IE.sum(1)[:4], torch.tensor([1.0, 2.0, 1.0, 0.0]))
    for label in ("ipg/sasrec", "lookahead/sasrec"):
        made = make_planner(label, parts)
        assert (made.label, made.model) == (label, sasrec)
    made = make_planner("oracle", parts)
    assert (made.label, made.model, made.config.k) == ("oracle", bert4rec, 20)


@pytest.fixture
def item2vec_trainings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """Size and seed of each training of item2vec, which is kept short here."""
    asked: list[tuple[int, int]] = []

    def short(sequences: Sequences, items: int, size: int, seed: int) -> Any:
        asked.append((size, seed))
        return item2vec(sequences, items, size, seed, epochs=1)

    monkeypatch.setattr(item_distance, "item2vec", short)
    item_distance.trained_vectors.cache_clear()
    yield asked
    item_distance.trained_vectors.cache_clear()


@pytest.mark.usefixtures("item2vec_trainings")
def test_the_datasets_own_order_does_not_matter(sasrec: SASRec, genred: Dataset) -> None:
    """Vectors are found by item id, and in the recommender's order."""
    mixed = renumbered(genred)
    assert mixed.items != genred.items
    for dataset in (genred, mixed):
        vectors = item_distance.genre_vectors(dataset, sasrec.items)
        assert vectors.tolist() == [
            [float(genre in (KINDS[n % 4] or [])) for genre in ("Comedy", "Drama", "War")]
            for n in range(ITEMS)
        ]
    trained = item_distance.item2vec_vectors(mixed, sasrec.items, 4, 9)
    number = mixed.items.encode(sasrec.items.ids)
    expected = item2vec(mixed.sequences, ITEMS, 4, 9, epochs=1)[number]
    assert torch.equal(trained, torch.from_numpy(expected))


def test_item2vec_is_trained_once_per_data_size_and_seed(
    counted: Counted, tiny: Dataset, item2vec_trainings: list[tuple[int, int]]
) -> None:
    shorter = tiny.with_sequences(tiny.sequences.drop_last())
    for dataset, size, seed in [
        (tiny, 3, 0),
        (tiny_dataset(), 3, 0),
        (tiny, 3, 1),
        (tiny, 2, 0),
        (shorter, 3, 0),
        (shorter, 3, 0),
    ]:
        Rec2InfPlanner(
            counted,
            distance="item2vec",
            item2vec_size=size,
            item2vec_seed=seed,
            dataset=dataset,
        )
    assert item2vec_trainings == [(3, 0), (3, 1), (2, 0), (3, 0)]


@pytest.mark.usefixtures("item2vec_trainings")
def test_ready_vectors_are_taken_as_the_distance_says(
    counted: Counted, genred: Dataset, tiny: Dataset
) -> None:
    """Precomputed item2vec or genre vectors give the paths that are computed from the data."""
    pairs = tiny_pairs(tiny, count=12)
    genres = item_distance.genre_vectors(genred, counted.items)
    trained = item_distance.item2vec_vectors(tiny, counted.items, 4, 1)
    small: dict[str, Any] = {"item2vec_size": 4, "item2vec_seed": 1}
    for dials, vectors in (
        ({"distance": "genre"}, genres),
        ({"distance": "item2vec", **small}, trained),
    ):
        planners = (
            Rec2InfPlanner(counted, dataset=genred, **dials),
            Rec2InfPlanner(counted, item_vectors=vectors.numpy(), **dials),
        )
        first, second = (plan(p, pairs, tiny, max_length=M).steps for p in planners)
        assert first.equals(second)


def test_vectors_that_are_not_there_are_named(
    counted: Counted, sasrec: SASRec, tiny: Dataset, genred: Dataset
) -> None:
    def refused(match: str, **options: Any) -> None:
        with pytest.raises(ConfigError, match=match):
            Rec2InfPlanner(counted, **options)

    refused("'counted' has none of its own; choose distance 'genre' or 'item2vec'")
    refused("needs the dataset", distance="genre")
    refused("needs the dataset", distance="item2vec")
    refused("'tiny' has no genres", distance="genre", dataset=tiny)
    refused("'tiny' has no genres", distance="genre", dataset=with_genres(tiny, [[], None]))
    refused("distance: Input should be 'own', 'genre' or 'item2vec'", distance="colour")
    refused(r"each of the 24 items.*\(24,\)", item_vectors=np.ones(ITEMS))
    refused("finite", item_vectors=np.full((ITEMS, 2), np.nan))
    others = tiny_dataset(items=20)
    for distance in ("genre", "item2vec"):
        refused("'tiny' lacks 4 of", distance=distance, dataset=others)
    with pytest.raises(ConfigError, match="'counted' lacks them; choose a neural one"):
        IPGPlanner(counted)
    with pytest.raises(ConfigError, match="similarity"):
        IPGPlanner(sasrec, similarity="none")
