"""Judges, datasets and paths small enough to be worked out by hand or by slow loops."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.base import Recommender


class FakeJudge(Recommender):
    """Needs no training; a subclass gives the logits of one history."""

    name: ClassVar[str] = "fake"
    config_class: ClassVar[type[FrozenConfig]] = FrozenConfig

    def __init__(self, dataset: Dataset, chunk: int = 4, reverse: bool = False) -> None:
        super().__init__()
        self._items, self._users = dataset.items, dataset.users
        self.chunk, self.reverse = chunk, reverse
        self.users_seen: set[int] = set()

    def logits(self, history: IntArray, user: int) -> list[float]:
        raise NotImplementedError

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        known = np.full(len(histories), -1) if users is None else users
        self.users_seen.update(known.tolist())
        rows = [self.logits(histories.row(r), int(known[r])) for r in range(len(histories))]
        table = torch.tensor(rows, dtype=torch.float32).reshape(len(rows), self.item_count)
        return table.log_softmax(dim=1)

    def read_paths(
        self, histories: Sequences, paths: Sequences, users: IntArray | None = None
    ) -> Iterator[tuple[IntArray, IntArray, Tensor]]:
        chunks = super().read_paths(histories, paths, users)
        return iter(list(chunks)[::-1]) if self.reverse else chunks

    def chunk_rows(self) -> int:
        return self.chunk

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        return {}

    def _weights(self) -> dict[str, Tensor]:
        return {}

    def _restore(self, weights: dict[str, Tensor]) -> None: ...


class MarkovJudge(FakeJudge):
    """P(i | s) looked up by the last item of s; row 0 is for an empty history."""

    def __init__(self, dataset: Dataset, probabilities: Sequence[Sequence[float]]) -> None:
        super().__init__(dataset)
        self.table = np.log(np.array(probabilities))

    def logits(self, history: IntArray, user: int) -> list[float]:
        last = int(history[-1]) if len(history) else 0
        row: list[float] = self.table[last].tolist()
        return row


class HashJudge(FakeJudge):
    """Arbitrary logits that depend on the whole history, its order and the user, with many ties."""

    def logits(self, history: IntArray, user: int) -> list[float]:
        state = 7 + 11 * user
        for item in history.tolist():
            state = (state * 31 + item * 17) % 10007
        return [((state * (c + 3) + c * c) % 101 // 8) / 2 for c in range(self.item_count)]


@dataclass(frozen=True)
class FakePaths:
    steps: pl.DataFrame
    outcomes: pl.DataFrame


def make_dataset(rows: Sequence[Sequence[int]], items: int, text_ids: bool = False) -> Dataset:
    """Item number k is item id k (or "i0k"), user row r is user id 100 + r (or "u0r")."""
    item_ids: list[Any] = [f"i{k:02d}" if text_ids else k for k in range(1, items + 1)]
    user_ids: list[Any] = [f"u{r:02d}" if text_ids else 100 + r for r in range(len(rows))]
    return Dataset(
        name="toy",
        preset="custom",
        sequences=Sequences.from_rows(rows),
        users=IdMap(user_ids, 0, "user"),
        items=IdMap(item_ids, 1, "item"),
        catalogue=pl.DataFrame({"item_id": item_ids, "title": None, "genres": None}),
    )


def make_pairs(objectives: Sequence[int], first_user: int = 100) -> pl.DataFrame:
    count = len(objectives)
    return pl.DataFrame(
        {
            "pair_id": pl.Series(range(count), dtype=pl.Int64),
            "user_id": pl.Series(range(first_user, first_user + count), dtype=pl.Int64),
            "objective_id": pl.Series(objectives, dtype=pl.Int64),
            "role": pl.Series(["report"] * count, dtype=pl.String),
        }
    )


def make_paths(rows: Sequence[Sequence[int]], objectives: Sequence[int]) -> FakePaths:
    flat = [
        (pair, step, item, 0.0)
        for pair, row in enumerate(rows)
        for step, item in enumerate(row, start=1)
    ]
    outcomes = [
        (pair, target in row, len(row))
        for pair, (row, target) in enumerate(zip(rows, objectives, strict=True))
    ]
    return FakePaths(
        pl.DataFrame(
            flat,
            schema={
                "pair_id": pl.Int64,
                "step": pl.Int64,
                "item_id": pl.Int64,
                "score": pl.Float64,
            },
            orient="row",
        ),
        pl.DataFrame(
            outcomes,
            schema={"pair_id": pl.Int64, "reached": pl.Boolean, "length": pl.Int64},
            orient="row",
        ),
    )


@dataclass(frozen=True)
class Case:
    """A random dataset, pairs and paths."""

    dataset: Dataset
    pairs: pl.DataFrame
    paths: FakePaths
    histories: list[list[int]]
    objectives: list[int]
    rows: list[list[int]]


def random_case(seed: int, users: int = 6, items: int = 30) -> Case:
    rng = np.random.default_rng(seed)
    objectives = rng.integers(1, items + 1, size=users).tolist()
    histories, rows = [], []
    for objective in objectives:
        others = np.setdiff1d(np.arange(1, items + 1), [objective])
        histories.append(rng.choice(others, size=rng.integers(0, 9)).tolist())
        # With replacement, so that some items repeat; some paths are empty, some just arrive.
        row = rng.choice(others, size=rng.integers(0, 6)).tolist()
        rows.append(row + [objective] * int(rng.random() < 0.5))
    return Case(
        make_dataset(histories, items),
        make_pairs(objectives),
        make_paths(rows, objectives),
        histories,
        objectives,
        rows,
    )
