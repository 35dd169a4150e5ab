"""Models, rows and the brute-force check that the tests of re-ranking planners share."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.planning.base import PlanBatch, Planner, State
from influpath.recommenders.base import Recommender

ITEMS, M = 24, 6
KINDS = (["Drama"], ["Drama", "War"], ["Comedy"], None)


class Counted(Recommender):
    """Ranks by how often an item occurs, whatever the history; has no vectors, and many ties."""

    name: ClassVar[str] = "counted"
    config_class: ClassVar[type[FrozenConfig]] = FrozenConfig

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        self.count_I = torch.from_numpy(dataset.item_counts[1:] // 2 + 1).float()
        return {}

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        return torch.log_softmax(self.count_I.log(), 0).expand(len(histories), -1)

    def _weights(self) -> dict[str, Tensor]:
        return {"count": self.count_I}

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self.count_I = weights["count"]


class Personal(Counted):
    """Knows what its users like, besides their last item; the simplest model with user vectors."""

    name: ClassVar[str] = "personal"

    def item_vectors(self) -> Tensor:
        return torch.randn(ITEMS, 4, generator=torch.Generator().manual_seed(5))

    def user_vectors(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        taste_UD = torch.randn(49, 4, generator=torch.Generator().manual_seed(6))
        taste_UD[-1] = 0
        last_RD = torch.cat([torch.zeros(1, 4), self.item_vectors()])[histories.last()]
        return last_RD + taste_UD[np.full(len(histories), -1) if users is None else users]

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        return (self.user_vectors(histories, users) @ self.item_vectors().T).log_softmax(1)


def with_genres(dataset: Dataset, kinds: Any = KINDS) -> Dataset:
    """Give the items genres, one kind after the other."""
    genres = pl.Series("genres", [kinds[n % len(kinds)] for n in range(len(dataset.items))])
    return replace(dataset, catalogue=dataset.catalogue.with_columns(genres))


@dataclass(frozen=True)
class Case:
    """A row of a batch: the objective may be rejected, and hardly anything may be left."""

    user: int
    history: list[int]
    objective: int
    rejected: list[int]
    k: int

    @property
    def allowed(self) -> list[int]:
        return sorted(set(range(1, ITEMS + 1)) - {*self.history, *self.rejected})

    @property
    def now(self) -> tuple[Sequences, IntArray]:
        """The history and the user."""
        return Sequences.from_rows([self.history]), np.array([self.user])

    @property
    def after(self) -> tuple[Sequences, IntArray]:
        """The history with each item 1..n after it, and the user of each."""
        rows = [[*self.history, item] for item in range(1, ITEMS + 1)]
        return Sequences.from_rows(rows), np.full(ITEMS, self.user)

    def begin(self, planner: Planner) -> State:
        """Return the state before the next step."""
        history, users = self.now
        state = planner.start(PlanBatch(users, history, np.array([self.objective]), M, ITEMS))
        for item in self.rejected:
            state.reject(np.array([item]))
        return state


@st.composite
def cases(draw: st.DrawFn) -> Case:
    order = draw(st.permutations(range(1, ITEMS + 1)))
    seen = draw(st.integers(0, 12))
    start = seen + draw(st.integers(0, 1))
    stop = draw(st.integers(start, ITEMS))
    user, k = draw(st.integers(-1, 3)), draw(st.integers(1, ITEMS + 5))
    return Case(user, order[:seen], order[seen], order[start:stop], k)


def assert_ranked(
    planner: Any, case: Case, value_I: Tensor, objective_first: bool = True, ties: bool = False
) -> None:
    """The k most probable of the allowed items come first, by value; then the rest."""
    log_p_I = planner.model.log_probs(*case.now)[0]
    log_p = dict(enumerate(log_p_I.tolist(), start=1))
    value = dict(enumerate(value_I.tolist(), start=1))
    if objective_first:
        value[case.objective] = np.inf
    state = case.begin(planner)
    scores = dict(enumerate(planner.next_item_scores(state)[0].tolist(), start=1))
    assert sorted(item for item in scores if scores[item] > -np.inf) == case.allowed
    ranked = sorted(case.allowed, key=lambda item: -scores[item])
    assert len({scores[item] for item in ranked[: case.k]}) == len(ranked[: case.k])
    best, rest = ranked[: case.k], ranked[case.k :]
    by_score = sorted((log_p[item] for item in case.allowed), reverse=True)
    assert sorted((log_p[item] for item in best), reverse=True) == by_score[: case.k]
    assert [log_p[item] for item in rest] == by_score[case.k :]
    for one, other in pairwise(best):
        assert value[one] >= value[other] - 1e-5
        if ties and value[one] == value[other]:
            assert log_p[one] >= log_p[other]
    proposal = planner.step(state)
    assert proposal.items_B.tolist() == (best[:1] or [0])
    if best and np.isfinite(value[best[0]]):
        assert proposal.scores_B[0] == pytest.approx(value[best[0]], abs=1e-4)
