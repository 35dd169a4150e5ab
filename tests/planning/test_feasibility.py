"""Feasibility: the fit, the features, and that a set is never worse than its best member."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import influpath as ip
from influpath.data import Dataset, Sequences
from influpath.errors import ConfigError, DataError, ModelFileError, UnknownIdError
from influpath.files import read_json, write_json
from influpath.irn.model import IRN
from influpath.planning.aims import Aim, aim, rate_pairs
from influpath.planning.audience import audience
from influpath.planning.base import PlanBatch
from influpath.planning.feasibility import (
    ABOUT,
    FACTS,
    Feasibility,
    pair_features,
)
from influpath.planning.feasibility_features import FEATURES, ItemFacts, Reading
from influpath.planning.logistic import fit_logistic
from influpath.planning.objectives import Objective
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders.base import Recommender
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_dataset, tiny_feasibility, tiny_pairs

TINY = tiny_dataset()
ITEMS = st.sampled_from(TINY.items.ids)


def feasibility_for(model: Recommender, weights: dict[str, float]) -> Feasibility:
    return tiny_feasibility(model, TINY, weights, products=0.01)


@pytest.fixture(scope="module")
def feasibility(irn: IRN) -> Feasibility:
    return feasibility_for(irn, {"log_prob": 0.7, "popularity": -0.3, "log_rank": 0.2, "ease": 0.1})


# The fit ----------------------------------------------------------------------------------------


def test_the_fit_equals_newtons_method() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 2)) * [1, 20] + [0, 5]
    y = rng.random(400) < 1 / (1 + np.exp(-(0.8 * x[:, 0] - 0.1 * x[:, 1] + 0.5 * x[:, 0] ** 2)))
    fitted = fit_logistic(x, y, names=("a", "b"), ridge=3.0)
    a, b = ((x - x.mean(0)) / x.std(0)).T
    design = np.column_stack([np.ones(400), a, b, a * a, a * b, b * b])
    penalty = np.diag([0.0, *[3.0] * 5])
    w = np.zeros(6)
    for _ in range(30):
        p = 1 / (1 + np.exp(-design @ w))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + penalty
        w -= np.linalg.solve(hessian, design.T @ (p - y) + penalty @ w)
    assert [fitted.intercept, *fitted.weights] == pytest.approx(w, abs=1e-4)
    assert fitted.predict(x) == pytest.approx(1 / (1 + np.exp(-design @ w)), abs=1e-4)
    # The intercept has no penalty, so that the mean is right.
    assert fitted.predict(x).mean() == pytest.approx(y.mean(), abs=1e-4)
    # Nothing is made up beyond what was seen.
    ends, far = np.array([x.min(0), x.max(0)]), np.array([[-9, -900], [9, 900]])
    assert fitted.predict(ends + far) == pytest.approx(fitted.predict(ends))


def test_a_feature_that_never_changes_has_no_weight() -> None:
    x = np.column_stack([np.arange(8.0), np.full(8, 7.0)])
    fitted = fit_logistic(x, [0, 0, 1, 0, 1, 0, 1, 1], names=("a", "b"))
    without = {term: w for term, w in zip(fitted.terms, fitted.weights, strict=True) if 1 in term}
    assert list(without.values()) == pytest.approx([0, 0, 0], abs=1e-9)
    assert np.isfinite(fitted.predict(x)).all()


@pytest.mark.parametrize("outcomes", [[0, 0], [1, 1]])
def test_one_outcome_alone_teaches_nothing(outcomes: list[int]) -> None:
    with pytest.raises(ConfigError, match=f"{sum(outcomes)} of 2 pairs were accepted"):
        fit_logistic(np.zeros((2, 1)), outcomes, names=("a",))


# The features -----------------------------------------------------------------------------------


def test_features_of_a_pair(sasrec: SASRec) -> None:
    facts = ItemFacts.of(sasrec, TINY)
    rows = np.array([5, 2])
    objectives = np.array([np.setdiff1d(np.arange(1, 25), TINY.sequences.row(r))[0] for r in rows])
    found = pair_features(sasrec, facts, TINY.sequences.take(rows), rows, objectives)
    assert found.shape == (2, len(FEATURES))
    for row, objective, features in zip(rows, objectives, found, strict=True):
        history = TINY.sequences.take(np.array([row]))
        p = sasrec.log_probs(history, np.array([row]))[0].double().exp().numpy()
        unseen = np.setdiff1d(np.arange(1, 25), history.values)
        rank = 1 + int((p[unseen - 1] > p[objective - 1]).sum())
        named = dict(zip(FEATURES, features, strict=True))
        assert named["log_prob"] == pytest.approx(np.log(p[objective - 1]), abs=1e-5)
        assert named["log_rank"] == pytest.approx(np.log(rank), abs=1e-6)
        assert named["entropy"] == pytest.approx(-(p * np.log(p)).sum(), abs=1e-4)
        count = int((TINY.sequences.values == objective).sum())
        assert named["popularity"] == pytest.approx(np.log(1 + count), abs=1e-6)


def test_facts_of_the_items(sasrec: SASRec) -> None:
    facts = ItemFacts.of(sasrec, TINY)
    users = np.arange(len(TINY.users))
    log_probs = sasrec.log_probs(TINY.sequences, users).numpy()
    item = 3
    seen = [set(TINY.sequences.row(row)) for row in range(len(users))]
    open_rows = [r for r in users if item not in seen[r]]
    likely = [
        r
        for r in open_rows
        if sum(
            log_probs[r, other - 1] > log_probs[r, item - 1]
            for other in range(1, 25)
            if other not in seen[r]
        )
        < 20
    ]
    ease = np.log((len(likely) + 0.5) / (len(open_rows) + 1))
    assert facts.ease_I[item - 1] == pytest.approx(ease, abs=1e-5)


def test_other_items_are_refused(sasrec: SASRec) -> None:
    with pytest.raises(ConfigError, match="other items"):
        ItemFacts.of(sasrec, tiny_dataset(items=30))


# Sets -------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(members=st.sets(ITEMS, min_size=1, max_size=6), seed=st.integers(0, 5))
def test_a_set_is_as_feasible_as_its_best_member(irn: IRN, members: set[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = dict(zip(FEATURES, rng.normal(size=len(FEATURES)) / 4, strict=True))
    feasibility = feasibility_for(irn, weights)
    users = TINY.users.ids[:12]
    found = aim(irn, Objective.of_items(sorted(members)), TINY, feasibility, users, minimum=0)
    alone = {
        item: aim(irn, Objective.item(item), TINY, feasibility, users, minimum=0)
        for item in members
    }
    for place, row in enumerate(found.iter_rows(named=True)):
        values = {item: frame["feasibility"][place] for item, frame in alone.items()}
        assert row["feasibility"] == pytest.approx(max(values.values()), abs=1e-6)
        had = set(TINY.items.decode(TINY.sequences.row(place)))
        if members <= had:
            assert (row["objective_id"], row["reachable"]) == (None, False)
            assert "had every item" in row["note"]
            assert row["feasibility"] == 0
        else:
            assert row["objective_id"] in members - had
            assert values[row["objective_id"]] == pytest.approx(row["feasibility"], abs=1e-6)
            assert row["reachable"]


def test_a_category_leads_to_its_best_member(irn: IRN, feasibility: Feasibility) -> None:
    genres = [["even"] if n % 2 else ["odd", "all"] for n in range(24)]
    described = replace(TINY, catalogue=TINY.catalogue.with_columns(genres=pl.Series(genres)))
    by_name = aim(irn, Objective.category("odd"), described, feasibility)
    by_ids = aim(irn, Objective.of_items(TINY.items.ids[::2]), TINY, feasibility)
    assert by_name.equals(by_ids)


def test_one_user_alone_is_as_feasible_as_among_others(
    irn: IRN, feasibility: Feasibility, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = Objective.of_items(TINY.items.ids[:4])
    together = aim(irn, objective, TINY, feasibility)
    monkeypatch.setattr(IRN, "chunk_rows", lambda self: 8)
    alone = aim(irn, objective, TINY, feasibility)
    assert together["objective_id"].equals(alone["objective_id"])
    assert together["feasibility"].to_list() == pytest.approx(alone["feasibility"].to_list())


def test_without_a_feasibility_the_likeliest_member_is_taken(irn: IRN) -> None:
    objective = Objective.of_items(TINY.items.ids[:6])
    found = aim(irn, objective, TINY)
    log_probs = irn.log_probs(TINY.sequences, np.arange(len(TINY.users)))
    for row, chosen in enumerate(found["objective_id"]):
        unseen = np.setdiff1d(np.arange(1, 7), TINY.sequences.row(row))
        best = unseen[int(log_probs[row, unseen - 1].argmax())] if len(unseen) else None
        assert chosen == (None if best is None else TINY.items.ids[best - 1])
    assert found.filter("reachable")["feasibility"].is_null().all()


def test_what_is_hopeless_is_not_planned(irn: IRN, feasibility: Feasibility) -> None:
    objective = Objective.of_items(TINY.items.ids[:3])
    middle = float(np.median(aim(irn, objective, TINY, feasibility)["feasibility"].to_numpy()))
    pairs = aim(irn, objective, TINY, feasibility, minimum=middle)
    hopeless = pairs.filter(~pl.col("reachable"))
    assert 0 < hopeless.height < pairs.height
    assert hopeless.filter(pl.col("objective_id").is_not_null())["note"].str.contains("below").all()
    paths = ip.plan(VanillaPlanner(irn), pairs, TINY, max_length=4)
    planned = set(paths.steps["pair_id"])
    assert planned == set(pairs.filter("reachable")["pair_id"])
    assert paths.outcomes["pair_id"].equals(pairs["pair_id"])
    with pytest.raises(ConfigError, match="from 0 to 1"):
        aim(irn, objective, TINY, feasibility, minimum=2)


def test_pairs_have_the_feasibility_of_their_objective(irn: IRN, feasibility: Feasibility) -> None:
    pairs = tiny_pairs(TINY, 10)
    rated = rate_pairs(irn, pairs, TINY, feasibility)
    assert rated.select(pairs.columns).equals(pairs)
    for row in rated.iter_rows(named=True):
        one = aim(irn, Objective.item(row["objective_id"]), TINY, feasibility, [row["user_id"]])
        assert one["feasibility"][0] == pytest.approx(row["feasibility"], abs=1e-6)


# While users answer -----------------------------------------------------------------------------


def test_the_member_changes_when_it_is_rejected_or_taken(
    irn: IRN, feasibility: Feasibility
) -> None:
    rows = np.array([0, 1, 2])
    batch = PlanBatch(rows, TINY.sequences.take(rows), np.array([9, 9, 9]), 4, 24)
    state = VanillaPlanner(irn).start(batch)
    target = Aim(irn, np.arange(1, 25), feasibility)
    seen = [set(TINY.sequences.row(row)) for row in rows]
    for _ in range(4):
        first = target.choose(state)
        assert all(int(m) not in had for m, had in zip(first.members_P, seen, strict=True))
        state.reject(first.members_P)
        second = target.choose(state)
        assert (second.members_P != first.members_P).all()
        assert (second.feasibility_P <= first.feasibility_P + 1e-9).all()
        state.append(second.members_P)
        for had, a, b in zip(seen, first.members_P, second.members_P, strict=True):
            had |= {int(a), int(b)}


def test_a_row_without_members_left_keeps_its_objective(irn: IRN, feasibility: Feasibility) -> None:
    histories = Sequences.from_rows([[1, 2], [1, 3]])
    batch = PlanBatch(np.array([0, 1]), histories, np.array([7, 8]), 4, 24)
    state = VanillaPlanner(irn).start(batch)
    assert Aim(irn, np.array([2, 1]), feasibility).objectives(state).tolist() == [7, 2]
    gone = Aim(irn, np.array([1]), feasibility).choose(state)
    assert gone.members_P.tolist() == [0, 0]
    assert gone.feasibility_P.tolist() == [0, 0]


# The audience -----------------------------------------------------------------------------------


def test_the_audience_is_everyone_most_feasible_first(irn: IRN, feasibility: Feasibility) -> None:
    objective = Objective.of_items(TINY.items.ids[:3])
    found = audience(irn, objective, TINY, feasibility, minimum=0.3)
    assert found.columns == ["user_id", "item_id", "feasibility", "reachable", "rank", "note"]
    assert found["rank"].to_list() == list(range(1, len(TINY.users) + 1))
    assert found["feasibility"].is_sorted(descending=True)
    assert set(found["user_id"]) == set(TINY.users.ids)
    own = aim(irn, objective, TINY, feasibility, minimum=0.3)
    joined = found.join(own, on="user_id")
    assert joined["feasibility"].equals(joined["feasibility_right"])
    assert joined["reachable"].equals(joined["reachable_right"])


def test_users_and_items_that_are_not_there(irn: IRN, feasibility: Feasibility) -> None:
    with pytest.raises(UnknownIdError, match="nobody"):
        aim(irn, Objective.item(TINY.items.ids[0]), TINY, feasibility, ["nobody"])
    other = tiny_dataset(items=60)
    stranger = next(item for item in other.items.ids if item not in TINY.items)
    with pytest.raises(DataError, match="knows no item of the objective"):
        aim(irn, Objective.item(stranger), other, feasibility)


# Files ------------------------------------------------------------------------------------------


def test_round_trip(irn: IRN, feasibility: Feasibility, tmp_path: Path) -> None:
    feasibility.save(tmp_path)
    again = Feasibility.load(tmp_path)
    assert again.to_dict() == feasibility.to_dict()
    reading = Reading.of(irn, TINY.sequences, np.arange(len(TINY.users)))
    every_BI = torch.arange(len(TINY.items)).expand_as(reading.log_prob_BI)
    assert torch.equal(again.of(reading, every_BI), feasibility.of(reading, every_BI))


def test_files_that_do_not_fit_are_refused(
    irn: IRN, sasrec: SASRec, feasibility: Feasibility, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        Feasibility.load(tmp_path)
    feasibility.save(tmp_path)
    with pytest.raises(ModelFileError, match="calibrated for a model 'irn'"):
        Feasibility.load(tmp_path).check(sasrec)
    about = read_json(tmp_path / ABOUT)
    logistic = {**about["logistic"], "features": ["mood", *about["logistic"]["features"][1:]]}
    write_json(tmp_path / ABOUT, {**about, "logistic": logistic})
    with pytest.raises(ModelFileError, match="no feature mood"):
        Feasibility.load(tmp_path)
    write_json(tmp_path / ABOUT, {key: about[key] for key in about if key != "calibrated_to"})
    with pytest.raises(ModelFileError, match="is damaged"):
        Feasibility.load(tmp_path)
    write_json(tmp_path / ABOUT, about)
    changed = replace(feasibility.facts, ease_I=feasibility.facts.ease_I + 1)
    replace(feasibility, facts=changed).save(tmp_path / "other")
    (tmp_path / "other" / FACTS).replace(tmp_path / FACTS)
    with pytest.raises(ModelFileError, match="does not fit the checksum"):
        Feasibility.load(tmp_path)


def test_a_plan_with_other_dials_is_told(
    feasibility: Feasibility, caplog: pytest.LogCaptureFixture
) -> None:
    from influpath.planning.irn import IRNDials

    meant = feasibility.calibrated_to.model_copy(
        update={"dials": IRNDials(guidance=2).model_dump(mode="json", exclude_none=True)}
    )
    calibrated = replace(feasibility, calibrated_to=meant)
    calibrated.warn_if_other("irn", IRNDials(guidance=2), 20)
    assert not caplog.messages
    calibrated.warn_if_other("irn", IRNDials(guidance=4), 20)
    assert "guidance 2" in caplog.messages[0]


def test_histories_may_be_of_a_log(irn: IRN, feasibility: Feasibility) -> None:
    """Users whom the model does not know are served from their history alone."""
    rows: Dataset = replace(
        TINY,
        sequences=TINY.sequences.take(np.array([4])),
        users=ip.data.IdMap(["stranger"], 0, "user"),
    )
    found = aim(irn, Objective.item(TINY.items.ids[0]), rows, feasibility)
    assert found["user_id"].to_list() == ["stranger"]
    assert 0 <= found["feasibility"][0] <= 1


def test_fitting_to_outcomes_of_any_kind(irn: IRN) -> None:
    pairs = tiny_pairs(TINY, 40)
    outcomes = np.random.default_rng(0).integers(0, 2, size=40)
    planner = ip.IRNPlanner(irn, guidance=2)
    fitted = Feasibility.fit(
        planner, pairs, outcomes, TINY, judge="loop", outcome="accepted arrival", max_length=4
    )
    assert fitted.calibrated_to.accepted == outcomes.sum()
    rows = TINY.rows_of(pairs["user_id"])
    objectives = TINY.items.encode(pairs["objective_id"])
    features = pair_features(irn, fitted.facts, TINY.sequences.take(rows), rows, objectives)
    rated = rate_pairs(irn, pairs, TINY, fitted)
    assert rated["feasibility"].to_numpy() == pytest.approx(fitted.logistic.predict(features), 1e-4)
    assert rated["feasibility"].mean() == pytest.approx(outcomes.mean(), abs=1e-3)
