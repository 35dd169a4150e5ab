"""What each planner shows, against plain loops, and how planners relate to each other."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.planning.algorithm import plan
from influpath.planning.base import PlanBatch
from influpath.planning.irn import IRNDials, IRNPlanner
from influpath.planning.oracle import OraclePlanner
from influpath.planning.rec2inf import Rec2InfPlanner
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.pop import POP
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_dataset, tiny_pairs
from influpath.testing.planner_conformance import make_batch

M = 6
SMALL: dict[str, Any] = {"embedding_size": 16, "heads": 2, "training": {"epochs": 1}}


@pytest.fixture
def pairs(tiny: Dataset) -> pl.DataFrame:
    return tiny_pairs(tiny, seed=2)


@pytest.fixture
def batch(irn: IRN, pairs: pl.DataFrame, tiny: Dataset) -> PlanBatch:
    return make_batch(IRNPlanner(irn), pairs, tiny, M)


def log_p(model: Recommender, sequence: list[int]) -> list[float]:
    """Return log P(i | s) by item number; entry 0 is no item."""
    row: list[float] = model.log_probs(Sequences.from_rows([sequence]))[0].tolist()
    return [-np.inf, *row]


def top(scores: list[float], k: int, left_out: set[int]) -> list[int]:
    """The k best items that are not left out, best first."""
    allowed = [item for item in range(1, len(scores)) if item not in left_out]
    return sorted(allowed, key=lambda item: -scores[item])[:k]


def looped(pairs: pl.DataFrame, dataset: Dataset, choose: Any) -> dict[int, list[Any]]:
    """Algorithm 1 as in the paper, one pair and one item at a time."""
    found = {}
    for pair, user, objective_id in pairs.iter_rows():
        history = dataset.sequences.row(int(dataset.rows_of([user])[0])).tolist()
        objective = int(dataset.items.encode([objective_id])[0])
        path: list[int] = []
        while len(path) < M and objective not in path:
            path.append(choose(history, objective, path))
        found[pair] = dataset.items.decode(np.array(path))
    return found


def planned(planner: Any, pairs: pl.DataFrame, dataset: Dataset) -> dict[int, list[Any]]:
    paths = plan(planner, pairs, dataset, max_length=M)
    return {pair: paths.items_of(pair) for pair in pairs["pair_id"]}


def test_vanilla_shows_the_most_probable(
    sasrec: SASRec, pairs: pl.DataFrame, tiny: Dataset
) -> None:
    def choose(history: list[int], objective: int, path: list[int]) -> int:
        return top(log_p(sasrec, history + path), 1, {*history, *path})[0]

    few = pairs.head(12)
    assert planned(VanillaPlanner(sasrec), few, tiny) == looped(few, tiny, choose)


@pytest.mark.parametrize("k", [1, 4, 1000])
@pytest.mark.parametrize("judge", ["sasrec", "bert4rec"])
def test_oracle_equals_a_plain_loop(
    request: pytest.FixtureRequest, pairs: pl.DataFrame, tiny: Dataset, k: int, judge: str
) -> None:
    model: Recommender = request.getfixturevalue(judge)

    def choose(history: list[int], objective: int, path: list[int]) -> int:
        candidates = top(log_p(model, history + path), k, {*history, *path})
        if objective in candidates:
            return objective
        return max(candidates, key=lambda i: log_p(model, [*history, *path, i])[objective])

    few = pairs.head(10)
    found = planned(OraclePlanner(model, k=k), few, tiny)
    assert found == looped(few, tiny, choose)
    if k == 1000:
        assert all(len(path) == 1 for path in found.values())


def test_the_oracle_reaches_more_than_vanilla(
    sasrec: SASRec, pairs: pl.DataFrame, tiny: Dataset
) -> None:
    oracle = plan(OraclePlanner(sasrec, k=5), pairs, tiny, max_length=M)
    vanilla = plan(VanillaPlanner(sasrec), pairs, tiny, max_length=M)
    assert oracle.outcomes["reached"].sum() > vanilla.outcomes["reached"].sum()


@pytest.mark.parametrize("k", [2, 5])
def test_rec2inf_equals_a_plain_loop(
    bert4rec: BERT4Rec, pairs: pl.DataFrame, tiny: Dataset, k: int
) -> None:
    vectors = torch.nn.functional.normalize(bert4rec.item_vectors(), dim=1)
    cosine = (vectors @ vectors.T).numpy()

    def choose(history: list[int], objective: int, path: list[int]) -> int:
        candidates = top(log_p(bert4rec, history + path), k, {*history, *path})
        return max(candidates, key=lambda item: float(cosine[item - 1, objective - 1]))

    few = pairs.head(12)
    assert planned(Rec2InfPlanner(bert4rec, k=k), few, tiny) == looped(few, tiny, choose)


def test_rec2inf_with_one_candidate_is_vanilla(
    sasrec: SASRec, pairs: pl.DataFrame, tiny: Dataset
) -> None:
    vanilla = planned(VanillaPlanner(sasrec), pairs, tiny)
    assert planned(Rec2InfPlanner(sasrec, k=1), pairs, tiny) == vanilla
    assert planned(Rec2InfPlanner(sasrec, k=8), pairs, tiny) != vanilla


def test_a_schedule_of_k_turns_late(sasrec: SASRec, pairs: pl.DataFrame, tiny: Dataset) -> None:
    vanilla = planned(VanillaPlanner(sasrec), pairs, tiny)
    late = planned(Rec2InfPlanner(sasrec, k=(1, 1, 1, 1000)), pairs, tiny)
    objectives = dict(zip(pairs["pair_id"], pairs["objective_id"], strict=True))
    for pair, path in late.items():
        assert path[:3] == vanilla[pair][:3]
        if objectives[pair] not in path[:3]:
            assert path[3:] == [objectives[pair]]


def rec2inf_choice(sasrec: SASRec, vectors: Any, history: list[int], objective: int) -> int:
    planner = Rec2InfPlanner(sasrec, k=10, item_vectors=vectors)
    state = planner.start(
        PlanBatch(np.array([-1]), Sequences.from_rows([history]), np.array([objective]), M, 24)
    )
    return int(planner.step(state).items_B[0])


def test_rec2inf_breaks_ties_by_the_objective_then_by_score(sasrec: SASRec) -> None:
    """All vectors are the same, up to length: nothing but the tie-break decides."""
    rng = np.random.default_rng(0)
    for width in (3, 8, 17, 64):
        one = rng.normal(size=width)
        vectors = np.outer(np.linspace(1, 2, 24), one).astype(np.float32)
        for start in range(1, 25):
            history = [start]
            candidates = top(log_p(sasrec, history), 10, set(history))
            near, far = candidates[-1], top(log_p(sasrec, history), 11, set(history))[-1]
            assert rec2inf_choice(sasrec, vectors, history, near) == near
            assert rec2inf_choice(sasrec, vectors, history, far) == candidates[0]


def test_rec2inf_ties_among_genres(sasrec: SASRec) -> None:
    """Items of one genre have one vector; the more probable of them is shown."""
    rng = np.random.default_rng(1)
    genres = rng.random((3, 18)).astype(np.float32)
    kind = np.arange(24) % 3
    for start in range(1, 25):
        candidates = top(log_p(sasrec, [start]), 10, {start})
        objective = top(log_p(sasrec, [start]), 24, {start})[-1]
        of_its_kind = [i for i in candidates if kind[i - 1] == kind[objective - 1]]
        if of_its_kind:
            found = rec2inf_choice(sasrec, genres[kind], [start], objective)
            assert found == of_its_kind[0]


def test_rec2inf_needs_vectors(sasrec: SASRec) -> None:
    with pytest.raises(ConfigError, match="'pop' has none of its own"):
        Rec2InfPlanner(POP().fit(tiny_dataset()))
    with pytest.raises(ConfigError, match="each of the 24 items"):
        Rec2InfPlanner(sasrec, item_vectors=np.ones((23, 4), dtype=np.float32))


def test_rec2inf_ranks_its_candidates_before_the_rest(sasrec: SASRec) -> None:
    planner = Rec2InfPlanner(sasrec, k=5)
    histories = Sequences.from_rows([[1, 2, 3]])
    state = planner.start(PlanBatch(np.array([-1]), histories, np.array([20]), M, 24))
    scores = [-np.inf, *planner.next_item_scores(state)[0].tolist()]
    plain = log_p(sasrec, [1, 2, 3])
    assert set(top(scores, 5, {1, 2, 3})) == set(top(plain, 5, {1, 2, 3}))
    assert top(scores, 21, {1, 2, 3})[5:] == top(plain, 21, {1, 2, 3})[5:]


@pytest.mark.parametrize("pace", [1, 3])
def test_irn_without_guidance_is_greedy_on_the_hidden_network(
    irn: IRN, pairs: pl.DataFrame, tiny: Dataset, pace: int
) -> None:
    users = dict(zip(tiny.users.ids, range(len(tiny.users)), strict=True))

    def choose(history: list[int], objective: int, path: list[int]) -> int:
        # k = 1 of the items that are left declares the same slots as now.
        slots = (M - len(path) - 1) // pace
        row = irn.log_probs_toward(
            Sequences.from_rows([history + path]), np.array([0]), max_length=slots + 1
        )
        return top([-np.inf, *row[0].tolist()], 1, {*history, *path})[0]

    few = pairs.head(12)
    assert set(few["user_id"]) <= set(users)
    planner = IRNPlanner(irn, guidance=0.0, pace=pace, w_t=(0.3, 2.0))
    assert planned(planner, few, tiny) == looped(few, tiny, choose)


def test_neutral_dials_are_the_model(irn: IRN, batch: PlanBatch) -> None:
    """At step 1, w_t = g = c = 1 and no floor give log p(i | s, i_t) itself."""
    planner = IRNPlanner(irn)
    scores = planner.next_item_scores(planner.start(batch))
    toward = irn.log_probs_toward(batch.histories, batch.objectives_B, batch.users_B, M)
    allowed = torch.isfinite(scores)
    torch.testing.assert_close(scores[allowed], toward[allowed], atol=1e-6, rtol=0)
    assert torch.equal(~allowed, planner.start(batch).barred_BI)


@pytest.mark.parametrize("guidance", [0.5, 1.0, 2.5])
def test_guidance_is_a_likelihood_ratio(irn: IRN, batch: PlanBatch, guidance: float) -> None:
    planner = IRNPlanner(irn, guidance=guidance)
    scores = planner.next_item_scores(planner.start(batch))
    toward = irn.log_probs_toward(batch.histories, batch.objectives_B, batch.users_B, M)
    nobody = np.zeros_like(batch.objectives_B)
    alone = irn.log_probs_toward(batch.histories, nobody, batch.users_B, M)
    expected = alone + guidance * (toward - alone)
    allowed = torch.isfinite(scores)
    torch.testing.assert_close(scores[allowed], expected[allowed], atol=1e-5, rtol=0)


def test_without_guidance_irn_on_another_base_is_that_base(
    irn: IRN, sasrec: SASRec, pairs: pl.DataFrame, tiny: Dataset
) -> None:
    planner = IRNPlanner(irn, base=sasrec, guidance=0.0)
    assert planner.config.guidance_model == "sasrec"
    assert planned(planner, pairs, tiny) == planned(VanillaPlanner(sasrec), pairs, tiny)


@pytest.mark.parametrize("guidance", [0.5, 2.5])
def test_guidance_against_another_base(
    irn: IRN, sasrec: SASRec, batch: PlanBatch, guidance: float
) -> None:
    """The same formula at every step, p(i | s) being the other's."""
    plain, guided = IRNPlanner(irn), IRNPlanner(irn, base=sasrec, guidance=guidance)
    states = [planner.start(batch) for planner in (plain, guided)]
    for _ in range(3):
        toward, scores = (
            planner.next_item_scores(state)
            for planner, state in zip((plain, guided), states, strict=True)
        )
        alone = sasrec.log_probs(states[1].known, states[1].users_B)
        expected = alone + guidance * (toward - alone)
        allowed = torch.isfinite(scores)
        torch.testing.assert_close(scores[allowed], expected[allowed], atol=1e-5, rtol=0)
        items = plain.step(states[0]).items_B
        for state in states:
            state.append(items)


def test_the_floor_is_that_of_the_base(learned_irn: IRN, batch: PlanBatch) -> None:
    base = SASRec(**SMALL).fit(tiny_dataset(users=100))
    planner = IRNPlanner(learned_irn, base=base, guidance=200.0, floor=3)
    state = planner.start(batch)
    while state.step <= M:
        alone = base.log_probs(state.known, state.users_B)
        allowed = alone.masked_fill(state.barred_BI, -torch.inf)
        shown = planner.step(state).items_B
        score = allowed.gather(1, torch.from_numpy(shown)[:, None] - 1)
        assert int((allowed > score).sum(1).max()) < 3
        state.append(shown)


def test_a_base_and_its_dial_belong_together(irn: IRN, sasrec: SASRec) -> None:
    with pytest.raises(ConfigError, match="guidance_model is 'sasrec'"):
        IRNPlanner(irn, guidance_model="sasrec")
    with pytest.raises(ConfigError, match="guidance_model is None"):
        IRNPlanner(irn, IRNDials(guidance=2.0), base=sasrec)
    other = SASRec(**SMALL).fit(tiny_dataset(items=20))
    with pytest.raises(ConfigError, match="other items or users"):
        IRNPlanner(irn, base=other)


@pytest.mark.parametrize("floor", [1, 3, 8])
@pytest.mark.parametrize("guidance", [1.0, 200.0])
def test_the_floor_is_a_gate(
    learned_irn: IRN, batch: PlanBatch, floor: int, guidance: float
) -> None:
    """Whatever the push, only items of the network's own top n are shown, the objective too."""

    def worst_rank(planner: IRNPlanner) -> int:
        """The lowest rank by p(i | s), among the items left, that was ever shown."""
        state, worst = planner.start(batch), 0
        while state.step <= M:
            nobody = np.zeros_like(state.objectives_B)
            left = M - state.step + 1
            alone = learned_irn.log_probs_toward(state.known, nobody, state.users_B, left)
            allowed = alone.masked_fill(state.barred_BI, -torch.inf)
            shown = planner.step(state).items_B
            score = allowed.gather(1, torch.from_numpy(shown)[:, None] - 1)
            worst = max(worst, int((allowed > score).sum(1).max()) + 1)
            state.append(shown)
        return worst

    bound = IRNPlanner(learned_irn, guidance=guidance, floor=floor)
    assert worst_rank(bound) <= floor
    if floor == 1:
        greedy = IRNPlanner(learned_irn, guidance=0.0)
        assert plan_rows(bound, batch) == plan_rows(greedy, batch)
    if guidance > 1:
        # Pushed that hard, the network would show anything.
        assert worst_rank(IRNPlanner(learned_irn, guidance=guidance)) > 8


def plan_rows(planner: IRNPlanner, batch: PlanBatch) -> list[list[int]]:
    state = planner.start(batch)
    while state.step <= M:
        state.append(planner.step(state).items_B)
    return [state.known.row(r)[-M:].tolist() for r in range(len(state))]


def test_a_floor_below_the_catalogue_changes_nothing_when_it_holds_everything(
    irn: IRN, batch: PlanBatch
) -> None:
    assert plan_rows(IRNPlanner(irn, floor=24), batch) == plan_rows(IRNPlanner(irn), batch)
    assert plan_rows(IRNPlanner(irn, floor=1000), batch) == plan_rows(IRNPlanner(irn), batch)


def test_a_floor_that_begins_late_is_heeded_beyond_the_models_horizon(tiny: Dataset) -> None:
    """The literal variant has no horizon, so a path may be longer than the schedule's start."""
    training: dict[str, Any] = {"epochs": 1}
    model = IRN(l_max=10, l_min=3, horizon=2, aligned=False, item2vec=False, training=training).fit(
        tiny
    )
    batch = PlanBatch(
        np.array([-1]), Sequences.from_rows([[1, 2]]), np.array([9]), max_length=5, items=24
    )
    free, bound = IRNPlanner(model), IRNPlanner(model, guidance=(1.0, 1.0, 1.0, 0.0))
    states = [planner.start(batch) for planner in (free, bound)]
    for step in range(1, 5):
        first, second = (p.next_item_scores(s) for p, s in zip((free, bound), states, strict=True))
        assert torch.allclose(first, second, atol=1e-5) is (step < 4)
        item = free.step(states[0]).items_B
        for state in states:
            state.append(item)


def test_a_path_beyond_the_horizon_is_refused(irn: IRN, batch: PlanBatch) -> None:
    with pytest.raises(ConfigError, match=r"max_length is 7, but .* at most 6"):
        IRNPlanner(irn).start(
            PlanBatch(batch.users_B, batch.histories, batch.objectives_B, M + 1, batch.items)
        )
