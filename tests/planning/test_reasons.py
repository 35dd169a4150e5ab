"""Why each item of a path is there."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import influpath as ip
from influpath.data import Dataset, Sequences
from influpath.irn.model import IRN
from influpath.planning.reasons import NEAR, explain, near
from influpath.testing import tiny_dataset, tiny_pairs

GENRES = [["Drama"] if n % 3 == 0 else ["Drama", "War"] if n % 3 == 1 else [] for n in range(24)]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    plain = tiny_dataset()
    return replace(plain, catalogue=plain.catalogue.with_columns(genres=pl.Series(GENRES)))


@pytest.fixture(scope="module")
def explained(irn: IRN, dataset: Dataset) -> tuple[pl.DataFrame, pl.DataFrame, ip.Paths]:
    pairs = tiny_pairs(dataset, 12)
    paths = ip.plan(ip.IRNPlanner(irn, guidance=3), pairs, dataset, max_length=5)
    return pairs, explain(irn, pairs, paths, dataset), paths


def test_steps_stay_as_they_are(
    explained: tuple[pl.DataFrame, pl.DataFrame, ip.Paths],
) -> None:
    _, steps, paths = explained
    assert steps.select(paths.steps.columns).equals(paths.steps.sort("pair_id", "step"))


def test_acceptance_and_gain_are_the_models_own(
    irn: IRN, dataset: Dataset, explained: tuple[pl.DataFrame, pl.DataFrame, ip.Paths]
) -> None:
    pairs, steps, _ = explained
    wanted = {pair: pair_of for pair, *pair_of in pairs.iter_rows()}
    shown: dict[int, list[int]] = {}
    for step in steps.iter_rows(named=True):
        user, objective_id = wanted[step["pair_id"]]
        row = int(dataset.rows_of([user])[0])
        objective, item = dataset.items.encode([objective_id, step["item_id"]])
        path = shown.setdefault(step["pair_id"], [])
        before = [*dataset.sequences.row(row), *path]
        path.append(int(item))
        known = Sequences.from_rows([before, [*before, item]])
        log_probs = irn.log_probs(known, np.array([row, row]))
        assert step["acceptance"] == pytest.approx(float(log_probs[0, item - 1].exp()), rel=1e-4)
        open_items = np.setdiff1d(np.arange(1, 25), before)
        better = (log_probs[0, open_items - 1] > log_probs[0, item - 1]).sum()
        assert step["acceptance_rank"] == 1 + int(better)
        if item == objective:
            assert step["gain"] is None
            assert step["reason"].startswith("the objective; ")
        else:
            gain = float(log_probs[1, objective - 1] - log_probs[0, objective - 1])
            assert step["gain"] == pytest.approx(gain, abs=1e-4)
            assert "x as likely" in step["reason"]


def test_shared_genres_are_those_of_both(
    dataset: Dataset, explained: tuple[pl.DataFrame, pl.DataFrame, ip.Paths]
) -> None:
    pairs, steps, _ = explained
    objectives = dict(zip(pairs["pair_id"], pairs["objective_id"], strict=True))
    users = dict(zip(pairs["pair_id"], pairs["user_id"], strict=True))
    last = {
        pair: dataset.items.decode(dataset.sequences.row(int(dataset.rows_of([user])[0])))[-1]
        for pair, user in users.items()
    }
    for step in steps.iter_rows(named=True):
        pair, item = step["pair_id"], step["item_id"]
        both = set(dataset.genres(item)) & set(dataset.genres(last[pair]))
        assert step["shared_previous"] == ("|".join(sorted(both)) or None)
        both = set(dataset.genres(item)) & set(dataset.genres(objectives[pair]))
        same = item == objectives[pair]
        assert step["shared_objective"] == (None if same else "|".join(sorted(both)) or None)
        if step["shared_objective"]:
            assert "like the objective" in step["reason"]
        last[pair] = item


def test_neighbours_are_counted_by_cosine() -> None:
    angles = torch.arange(60) * 0.05
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1) * torch.rand(60, 1).add(0.5)
    found = near(vectors, np.array([2, 3, 1, 22, 1]), np.array([1, 1, 1, 1, 0]))
    assert found.to_list() == [1, 2, None, None, None]
    assert near(vectors, np.array([NEAR + 1]), np.array([1])).to_list() == [NEAR]
    assert near(None, np.array([2]), np.array([1])).to_list() == [None]


def test_nothing_describes_the_items_of_plain_histories(irn: IRN, dataset: Dataset) -> None:
    histories = {"x": dataset.items.ids[:2], "y": []}
    pairs = pl.DataFrame(
        {"pair_id": [1, 2], "user_id": ["x", "y"], "objective_id": ["film 28"] * 2}
    )
    paths = ip.plan(ip.IRNPlanner(irn), pairs, histories, max_length=2)
    steps = explain(irn, pairs, paths, histories)
    assert steps["shared_previous"].is_null().all()
    assert steps.height == paths.steps.height
    described = explain(irn, pairs, paths, histories, dataset)
    assert described["shared_objective"].is_not_null().any()


def test_no_paths_have_no_reasons(irn: IRN, dataset: Dataset) -> None:
    pairs = tiny_pairs(dataset, 2).with_columns(reachable=False)
    paths = ip.plan(ip.IRNPlanner(irn), pairs, dataset, max_length=2)
    assert explain(irn, pairs, paths, dataset).height == 0
