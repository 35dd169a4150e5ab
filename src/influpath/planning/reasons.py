"""Why each item of a path is there, in the words of the planner's own model.

Each step has three sorts of reasons: the user may be expected to take it (acceptance), it makes the
objective more probable (gain), and it is like what came before or like the objective (shared genres
or tags; nearest neighbours in the model's item embedding).  The judge has no part in it.

Shape suffixes: P pairs, N path items, Q moments (a path of L items has L + 1), C moments or items
of a chunk, I catalogue items, K nearest ones, E item vector size.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.planning.algorithm import Histories, known_items
from influpath.planning.paths import Paths
from influpath.recommenders.base import Recommender
from influpath.recommenders.ranking import target_ranks

FloatArray = npt.NDArray[np.float64]

# Beyond so many neighbours an item is not called near.
NEAR = 20
# Items compared with the whole catalogue at a time.
CHUNK = 1024


def explain(
    model: Recommender,
    pairs: pl.DataFrame,
    paths: Paths,
    histories: Histories,
    catalogue: Dataset | None = None,
) -> pl.DataFrame:
    """Return the steps of paths with the reasons for each.

    Args:
        model: The planner's model, whose probabilities these are.
        pairs: Frame ``pair_id, user_id, objective_id``.
        paths: Planned for them.
        histories: As they were planned from.
        catalogue: Names genres and titles; ``histories`` where that is a dataset.

    Returns:
        ``paths.steps`` with these columns more:
        ``acceptance``: p(item | what came before), from 0 to 1;
        ``acceptance_rank``: its rank among the items not had or shown before, 1 is best;
        ``gain``: by how much showing it raises log p(objective), in nats; missing for the
        objective itself;
        ``shared_previous``, ``shared_objective``: genres or tags that it has in common with the
        item before it and with the objective, "|" between them; missing where there are none;
        ``near_previous``, ``near_objective``: which neighbour of them it is in the model's item
        embedding, 1 is nearest; missing beyond 20;
        ``reason``: the same in words.

    Raises:
        UnknownIdError: A user, or an item of a path, is not there.
    """
    steps = paths.steps.join(
        pairs.select("pair_id", "user_id", "objective_id"), on="pair_id", maintain_order="left"
    ).sort("pair_id", "step", maintain_order=True)
    first = steps.unique("pair_id", keep="first", maintain_order=True)
    known = known_items(first["user_id"].to_list(), histories, model.items)
    users_P = model.users.encode(first["user_id"].to_list(), unknown="mark")
    item_N = model.items.encode(steps["item_id"].to_list())
    lengths_P = steps.group_by("pair_id", maintain_order=True).len()["len"].to_numpy()
    shown = Sequences.from_lengths(item_N, lengths_P)
    objective_P = model.items.encode(first["objective_id"].to_list())
    objective_N = objective_P[shown.row_of_value]
    previous_N = before_each(known, shown)
    probability_N, rank_N, gain_N = along_paths(model, known, shown, users_P, objective_P)
    gain_N[item_N == objective_N] = np.nan
    described = histories if catalogue is None and isinstance(histories, Dataset) else catalogue
    vectors_IE = model.item_vectors()
    with_reasons = steps.with_columns(
        acceptance=probability_N,
        acceptance_rank=rank_N,
        gain=pl.Series(gain_N).fill_nan(None),
        shared_previous=shared_genres(described, model.items, item_N, previous_N),
        shared_objective=shared_genres(described, model.items, item_N, objective_N),
        near_previous=near(vectors_IE, item_N, previous_N),
        near_objective=near(vectors_IE, item_N, objective_N),
    )
    return in_words(with_reasons).drop("user_id", "objective_id")


def before_each(known: Sequences, shown: Sequences) -> IntArray:
    """Return the item before each path item: the last history item, then the path's; int64 [N]."""
    previous_N = np.roll(shown.values, 1)
    filled = shown.lengths > 0
    previous_N[shown.offsets[:-1][filled]] = known.last()[filled]
    return previous_N


def along_paths(
    model: Recommender,
    known: Sequences,
    shown: Sequences,
    users_P: IntArray,
    objective_P: IntArray,
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return p(item), its rank, and the gain in log p(objective) of each path item, [N] each."""
    whole = known.extend(shown)
    probability_N = np.zeros(len(shown.values))
    rank_N = np.zeros(len(shown.values), dtype=np.int64)
    objective_Q = np.zeros(len(shown.values) + len(shown))
    with torch.inference_mode():
        for row_C, step_C, log_probs_CI in model.read_paths(known, shown, users_P):
            at_Q = shown.offsets[row_C] + row_C + step_C
            objective_Q[at_Q] = pick(log_probs_CI, objective_P[row_C])
            going = np.flatnonzero(step_C < shown.lengths[row_C])
            row_C, step_C, log_probs_CI = row_C[going], step_C[going], log_probs_CI[going]
            at_N = shown.offsets[row_C] + step_C
            so_far = whole.slice(row_C, np.zeros_like(row_C), known.lengths[row_C] + step_C)
            probability_N[at_N] = np.exp(pick(log_probs_CI, shown.values[at_N]))
            rank_N[at_N] = target_ranks(log_probs_CI, so_far, shown.values[at_N])
    before_N = np.arange(len(shown.values)) + shown.row_of_value
    return probability_N, rank_N, objective_Q[before_N + 1] - objective_Q[before_N]


def pick(log_probs_CI: Tensor, items_C: IntArray) -> FloatArray:
    """Return one log-probability per row, float64 [C]."""
    picked: FloatArray = log_probs_CI.numpy()[np.arange(len(items_C)), items_C - 1].astype(float)
    return picked


def shared_genres(
    described: Dataset | None, items: IdMap, item_N: IntArray, other_N: IntArray
) -> pl.Series:
    """Return the genres that items have in common with others, "|" between them.

    Missing where there are none, where the two are the same item, or where nothing describes them.
    """
    none = pl.Series([None] * len(item_N), dtype=pl.String)
    if described is None or not len(item_N):
        return none
    rows = described.items.encode(items.ids, unknown="mark") - 1
    genres_I = described.catalogue["genres"].cast(pl.List(pl.String)).gather(np.maximum(rows, 0))
    pairs = pl.DataFrame(
        {"a": genres_I.gather(item_N - 1), "b": genres_I.gather(np.maximum(other_N, 1) - 1)}
    )
    shared = pairs.select(
        pl.col("a").list.set_intersection("b").list.sort().list.join("|").replace("", None)
    ).to_series()
    told = (item_N != other_N) & (other_N > 0)
    told &= (rows[item_N - 1] >= 0) & (rows[np.maximum(other_N, 1) - 1] >= 0)
    return shared.zip_with(pl.Series(told), none)


def near(vectors_IE: Tensor | None, item_N: IntArray, other_N: IntArray) -> pl.Series:
    """Return which neighbour of the other item each item is, 1 is nearest.

    Missing beyond ``NEAR``, where the two are the same, or where there are no vectors.
    """
    place_N = np.zeros(len(item_N), dtype=np.int64)
    if vectors_IE is not None and len(item_N):
        place_N = neighbour_places(unit_vectors(vectors_IE), item_N, other_N)
    return pl.Series(place_N).replace(0, None)


def unit_vectors(vectors_IE: Tensor) -> Tensor:
    """Return item vectors of length 1, [I, E]; their products are cosines."""
    return torch.nn.functional.normalize(vectors_IE.float(), dim=1)


def neighbour_places(unit_IE: Tensor, item_N: IntArray, other_N: IntArray) -> IntArray:
    """Return which neighbour of the other item each item is, int64 [N]: 1 is nearest.

    0 beyond ``NEAR``, where the two are the same, and where there is no other (0).
    """
    others, where_N = np.unique(np.maximum(other_N, 1), return_inverse=True)
    found = nearest(unit_IE, others)[where_N] == item_N[:, None]
    return np.where(found.any(1) & (other_N > 0), found.argmax(1) + 1, 0)


def nearest(unit_IE: Tensor, item_N: IntArray) -> IntArray:
    """Return the neighbours of items, nearest first, int64 [N, K]."""
    count = min(NEAR, len(unit_IE) - 1)
    neighbours_NK = np.empty((len(item_N), count), dtype=np.int64)
    for start in range(0, len(item_N), CHUNK):
        column_C = torch.from_numpy(item_N[start : start + CHUNK] - 1)
        nearness_CI = unit_IE[column_C] @ unit_IE.T
        nearness_CI[torch.arange(len(column_C)), column_C] = -torch.inf
        top_CK = nearness_CI.topk(count, dim=1).indices
        neighbours_NK[start : start + CHUNK] = top_CK.numpy() + 1
    return neighbours_NK


def in_words(steps: pl.DataFrame) -> pl.DataFrame:
    """Add the column ``reason``, the other columns in words."""
    is_objective = steps.select(is_objective=pl.col("item_id") == pl.col("objective_id"))
    columns = steps.select(*list(Reason._fields)[1:])
    rows = zip(is_objective["is_objective"], *columns.iter_columns(), strict=True)
    return steps.with_columns(
        reason=pl.Series([Reason(*row).words for row in rows], dtype=pl.String)
    )


class Reason(NamedTuple):
    """Why one item is there; what is None is not said.  See ``explain``."""

    is_objective: bool
    acceptance: float
    acceptance_rank: int
    gain: float | None
    shared_previous: str | None
    shared_objective: str | None
    near_previous: int | None
    near_objective: int | None

    @property
    def words(self) -> str:
        """The reason in words: what it has in common with the objective, else with the last."""
        parts = ["the objective"] if self.is_objective else []
        parts.append(f"{100 * self.acceptance:.1f}% likely, rank {self.acceptance_rank}")
        if self.gain is not None:
            parts.append(f"objective {float(f'{math.exp(self.gain):.2g}')} x as likely")
        if self.shared_objective is not None:
            parts.append(f"{self.shared_objective.replace('|', ', ')} like the objective")
        elif self.shared_previous is not None:
            parts.append(f"{self.shared_previous.replace('|', ', ')} like the item before")
        if self.near_objective is not None:
            parts.append(f"neighbour {self.near_objective} of the objective")
        elif self.near_previous is not None:
            parts.append(f"neighbour {self.near_previous} of the item before")
        return "; ".join(parts)
