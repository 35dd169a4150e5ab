"""The closed loop against a plain one, and what must hold whoever plans."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError, ResultError
from influpath.irn.model import IRN
from influpath.planning.base import REST, Planner, Proposal, State
from influpath.planning.bridge import BridgePlanner
from influpath.planning.direct import DirectPlanner
from influpath.planning.irn import IRNPlanner
from influpath.planning.open_loop import OpenLoopPlanner
from influpath.planning.rec2inf import Rec2InfPlanner
from influpath.planning.sensitivity import Sensitivity
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.simulation import (
    JudgeUserModel,
    JudgeUsersConfig,
    LoopConfig,
    UserModel,
    Visits,
    simulate,
)
from influpath.simulation.chance import Chance, Purpose
from influpath.simulation.loop import jensen_shannon
from influpath.testing import tiny_dataset, tiny_pairs
from influpath.testing.planner_conformance import renumbered

# Lively users, so that everything happens in few rounds.
LIVELY: dict[str, Any] = {
    "rounds": 6,
    "event_share": 0.3,
    "ignore_share": 0.4,
    "leave_base": 0.02,
    "leave_growth": 0.1,
}


@pytest.fixture
def pairs(tiny: Dataset) -> pl.DataFrame:
    return tiny_pairs(tiny, count=24, seed=2)


@pytest.fixture
def users(bert4rec: BERT4Rec) -> UserModel:
    return JudgeUserModel(bert4rec, JudgeUsersConfig(rank=6))


def planners(irn: IRN, sasrec: SASRec, tiny: Dataset) -> dict[str, Planner]:
    guided = IRNPlanner(irn, guidance=3.0, floor=12, pace=2)
    return {
        "irn": guided,
        "irn, open loop": OpenLoopPlanner(guided),
        "rec2inf": Rec2InfPlanner(sasrec, k=6),
        "vanilla": VanillaPlanner(sasrec),
        "direct": DirectPlanner(tiny.items),
        "bridge": BridgePlanner(tiny),
    }


def plain_loop(
    judge: BERT4Rec, model: SASRec, pair: dict[str, Any], dataset: Dataset, config: LoopConfig
) -> list[tuple[Any, ...]]:
    """One user and ``vanilla``, an item at a time, everything read anew: (item, answer, event)."""
    chance = Chance.of(config.seed, np.array([pair["pair_id"]]))

    def draw(number: int, purpose: Purpose) -> float:
        return float(chance.uniform(np.array([number]), purpose)[0])

    def log_p(of: Any, known: list[int]) -> list[float]:
        return [-np.inf, *of.log_probs(Sequences.from_rows([known]))[0].tolist()]

    row = int(dataset.rows_of([pair["user_id"]])[0])
    known = dataset.sequences.row(row).tolist()
    objective = int(dataset.items.encode([pair["objective_id"]])[0])
    refused: set[int] = set()
    resting: dict[int, int] = {}
    misses = 0
    found: list[tuple[Any, ...]] = []
    for number in range(1, config.rounds + 1):
        wanted = log_p(judge, known)
        scores = log_p(model, known)
        barred = {*known, *refused, *(i for i, last in resting.items() if number - last <= REST)}
        item = max((i for i in range(1, len(scores)) if i not in barred), key=lambda i: scores[i])
        new = sorted((p for i, p in enumerate(wanted) if i not in {0, *known}), reverse=True)
        # Who has nearly everything takes anything.
        acceptance = 1 / (1 + np.exp(new[5] - wanted[item])) if len(new) > 5 else 1.0
        had = list(known)
        if draw(number, Purpose.ACCEPT) < acceptance:
            answer, misses = "accepted", 0
            known.append(item)
        elif draw(number, Purpose.IGNORE) < config.ignore_share:
            answer = "ignored"
            resting[item] = number
        else:
            answer, misses = "rejected", misses + 1
            refused.add(item)
        if answer == "accepted" and item == objective:
            return [*found, (item, answer, 0, "arrived")]
        hazard = config.leave_base + config.leave_growth * max(0, misses - config.patience)
        if draw(number, Purpose.LEAVE) < hazard:
            return [*found, (item, answer, 0, "left")]
        event = 0
        if draw(number, Purpose.EVENT) < config.event_share:
            open_items = [i for i in range(1, len(wanted)) if i not in had and i != item]
            weights = np.exp([wanted[i] for i in open_items])
            at = draw(number, Purpose.EVENT_ITEM) * weights.sum()
            event = open_items[int((np.cumsum(weights) <= at).sum())]
            known.append(event)
        if event == objective:
            return [*found, (item, answer, event, "alone")]
        found.append((item, answer, event, "stayed" if number == config.rounds else None))
    return found


def test_the_loop_equals_a_plain_one(
    bert4rec: BERT4Rec, sasrec: SASRec, users: UserModel, pairs: pl.DataFrame, tiny: Dataset
) -> None:
    config = LoopConfig(seed=11, **LIVELY)
    rounds = simulate(VanillaPlanner(sasrec), users, pairs, tiny, config).rounds
    for pair in pairs.head(16).iter_rows(named=True):
        expected = plain_loop(bert4rec, sasrec, pair, tiny, config)
        own = rounds.filter(pl.col("pair_id") == pair["pair_id"])
        ids = {None: 0} | {outside: n + 1 for n, outside in enumerate(tiny.items.ids)}
        found = [
            (ids[item], answer, ids[event], end)
            for item, answer, event, end in own.select(
                "item_id", "response", "event_id", "end"
            ).iter_rows()
        ]
        assert found == expected
    # Otherwise little was compared.
    assert set(rounds["response"].to_list()) == {"accepted", "rejected", "ignored"}
    assert {"left", "stayed"} <= set(rounds["end"].to_list())
    assert rounds["event_id"].drop_nulls().len() > 5


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["irn", "irn, open loop", "rec2inf", "vanilla", "direct", "bridge"]),
    seed=st.integers(0, 2**31),
    batch_size=st.sampled_from([1, 5, 1024]),
    learns=st.booleans(),
)
def test_whoever_plans(
    irn: IRN,
    sasrec: SASRec,
    users: UserModel,
    pairs: pl.DataFrame,
    tiny: Dataset,
    name: str,
    seed: int,
    batch_size: int,
    learns: bool,
) -> None:
    """No item returns that should not; batch and order change nothing; pushes stay in bounds."""
    planner = planners(irn, sasrec, tiny)[name]
    config = LoopConfig(seed=seed, **LIVELY)
    sensitivity = Sensitivity() if learns else None
    few = pairs.head(8)
    visits = simulate(planner, users, few, tiny, config, sensitivity)
    shuffled = few.sample(fraction=1.0, shuffle=True, seed=1)
    again = simulate(planner, users, shuffled, tiny, config, sensitivity, batch_size=batch_size)
    exact = ["pair_id", "round", "item_id", "response", "event_id", "end"]
    assert (
        again.rounds.select(exact)
        .sort("pair_id", "round")
        .equals(visits.rounds.select(exact).sort("pair_id", "round"))
    )
    bounds = (0.25, 2.0) if learns else (1.0, 1.0)
    assert visits.rounds["push"].is_between(*bounds).all()
    for pair, user, objective in few.iter_rows():
        own = visits.rounds.filter(pl.col("pair_id") == pair)
        had = set(tiny.items.decode(tiny.sequences.row(int(tiny.rows_of([user])[0]))))
        resting: dict[Any, int] = {}
        assert own["round"].to_list() == list(range(1, own.height + 1))
        for row in own.iter_rows(named=True):
            item = row["item_id"]
            assert item is None or item not in had
            assert row["event_id"] is None or row["event_id"] not in {*had, item} - refused(own)
            if row["response"] == "ignored":
                resting[item] = row["round"]
            elif item is not None:
                assert row["round"] - resting.get(item, -REST) > REST
                had.add(item)
            had.add(row["event_id"])
            arrived = item == objective and row["response"] == "accepted"
            assert (row["end"] == "arrived") == arrived
            assert (row["end"] == "alone") == (row["event_id"] == objective and not arrived)
            assert row["end"] is not None or row["round"] < own.height
        assert own["end"][-1] != "stayed" or own.height == config.rounds


def refused(own: pl.DataFrame) -> set[Any]:
    """Items that a user rejected: nobody keeps them from taking these on their own."""
    return set(own.filter(pl.col("response") == "rejected")["item_id"].to_list())


class LaterAnother(VanillaPlanner):
    """``vanilla`` for two slots, and then the least probable item."""

    def step(self, state: State) -> Proposal:
        if state.step <= 2:
            return super().step(state)
        scores_BI = self.next_item_scores(state)
        items_B = scores_BI.masked_fill(state.barred_BI, torch.inf).argmin(dim=1).numpy() + 1
        return Proposal(items_B, np.zeros(len(state), dtype=np.float32))


def test_luck_does_not_depend_on_the_planner(
    sasrec: SASRec, users: UserModel, pairs: pl.DataFrame, tiny: Dataset
) -> None:
    """Planners that show the same so far have met the same users so far."""
    config = LoopConfig(seed=4, **LIVELY)
    one, other = (
        simulate(planner, users, pairs, tiny, config).rounds
        for planner in (VanillaPlanner(sasrec), LaterAnother(sasrec))
    )
    assert one.filter(pl.col("round") <= 2).equals(other.filter(pl.col("round") <= 2))
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("settings_", "column", "value"),
    [
        ({"leave_base": 1.0}, "end", {"left", "arrived"}),
        ({"ignore_share": 1.0}, "response", {"accepted", "ignored"}),
        ({"ignore_share": 0.0}, "response", {"accepted", "rejected"}),
        ({"event_share": 0.0}, "event_id", {None}),
        ({"leave_base": 0.0, "leave_growth": 0.0, "event_share": 0.0}, "end", {None, "stayed"}),
    ],
)
def test_what_the_settings_mean(
    sasrec: SASRec,
    users: UserModel,
    pairs: pl.DataFrame,
    tiny: Dataset,
    settings_: dict[str, Any],
    column: str,
    value: set[Any],
) -> None:
    config = LoopConfig(seed=2, **{**LIVELY, **settings_})
    found = simulate(VanillaPlanner(sasrec), users, pairs, tiny, config).rounds
    assert set(found[column].to_list()) - {"arrived"} == value - {"arrived"}


def test_acceptance_is_half_at_the_rank(bert4rec: BERT4Rec, tiny: Dataset) -> None:
    histories = tiny.sequences.take(np.arange(3))
    for temperature in (0.5, 2.0):
        model = JudgeUserModel(bert4rec, JudgeUsersConfig(rank=4, temperature=temperature))
        users = model.begin(np.arange(3), histories)
        log_probs = bert4rec.log_probs(histories, np.arange(3))
        for row in range(3):
            new = [i for i in range(1, 25) if i not in histories.row(row).tolist()]
            ranked = sorted(new, key=lambda i: -float(log_probs[row, i - 1]))
            found = []
            for item in ranked:
                items_B = np.zeros(3, dtype=np.int64)
                items_B[row] = item
                found.append(float(users.acceptance(items_B)[row]))
            assert found[3] == pytest.approx(0.5)
            assert found == sorted(found, reverse=True)
            odds = np.log(found[0] / (1 - found[0])) * temperature
            first, fourth = (float(log_probs[row, ranked[n] - 1]) for n in (0, 3))
            assert odds == pytest.approx(first - fourth, abs=1e-4)


def test_shift_is_a_divergence() -> None:
    p = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    q = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.5, 0.3, 0.2]])
    found = jensen_shannon(p.log(), q.log())
    m = (p[2] + q[2]) / 2
    expected = float((p[2] * (p[2] / m).log2() + q[2] * (q[2] / m).log2()).sum() / 2)
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, expected]), atol=1e-6, rtol=0)


def test_refusals(
    sasrec: SASRec, users: UserModel, pairs: pl.DataFrame, tiny: Dataset, tmp_path: Any
) -> None:
    other = SASRec(embedding_size=8, training={"epochs": 1}).fit(renumbered(tiny_dataset()))
    with pytest.raises(ConfigError, match="number their items differently"):
        simulate(VanillaPlanner(other), users, pairs, tiny)
    none = simulate(VanillaPlanner(sasrec), users, pairs.clear(), tiny)
    some = simulate(VanillaPlanner(sasrec), users, pairs.head(2), tiny, LoopConfig(rounds=2))
    assert none.rounds.schema == some.rounds.schema
    some.write(tmp_path / "visits.parquet")
    assert Visits.read(tmp_path / "visits.parquet").rounds.equals(some.rounds)
    with pytest.raises(ResultError, match="cannot be read"):
        Visits.read(tmp_path / "none.parquet")
