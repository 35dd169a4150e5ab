"""What an independent recommender, the judge, thinks of every step of every path (paper IV-B2).

Paths are read once.  All metrics are computed from the result, a Judgement, without the judge.

Shape suffixes: P pairs, N path items of all pairs, Q prefixes of all paths (a path of L items has
L + 1, the empty one first), C prefixes of one chunk, I catalogue items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ResultError
from influpath.evaluation.calibration import at_temperature
from influpath.evaluation.pairs import PairNumbers, encode_pairs
from influpath.evaluation.path_rows import BoolArray, PlannedPaths, encode_paths, repeats
from influpath.evaluation.ranks import ranks_from_scores
from influpath.parallel import in_threads
from influpath.recommenders.base import Recommender

FloatArray = npt.NDArray[np.float64]

# Pairs whose paths are read together.
PART = 512


@dataclass(frozen=True, eq=False)
class Judgement:
    """The judge's probabilities and ranks along the paths of one planner.

    P(i | s) is the raw softmax over the whole catalogue (formula 17).

    Attributes:
        judge: The judge's name.
        pair_ids: Pair ids, int64 [P].
        user_rows: User rows, int64 [P]; intervals resample users.
        paths: The path items, one row per pair; a row is empty where no path was found.
        reached: Whether the path shows the objective, bool [P]; if so, as its last item.
        repeated: Whether an item is in the history or earlier in the path, bool [N].
        item_log_probs: log P(i_k | s_h + i_<k), float64 [N].
        item_ranks: Rank of i_k when it is shown, among the items that are neither in the history
            nor shown before, int64 [N].
        objective_log_probs: log P(i_t | s_h + i_<=k) for k = 0..L, float64 [Q].
        objective_ranks: Rank of i_t at the same moments, int64 [Q].  At every moment the same
            items are left out, the history and the whole path but i_t; else the rank would
            improve by the mere shrinking of the list.
        item_count: Number of catalogue items.
    """

    judge: str
    pair_ids: IntArray
    user_rows: IntArray
    paths: Sequences
    reached: BoolArray
    repeated: BoolArray
    item_log_probs: FloatArray
    item_ranks: IntArray
    objective_log_probs: FloatArray
    objective_ranks: IntArray
    item_count: int

    def __len__(self) -> int:
        return len(self.pair_ids)

    @property
    def lengths(self) -> IntArray:
        """Path lengths, the objective included, int64 [P]."""
        return self.paths.lengths

    @property
    def before(self) -> IntArray:
        """Position in Q of the moment before the path, int64 [P]."""
        return self.paths.offsets[:-1] + np.arange(len(self))

    @property
    def influenced(self) -> IntArray:
        """Position in Q of the moment that influence is measured at, int64 [P].

        Just before the objective is shown; for a path that fails, after its last item.
        """
        return self.before + self.lengths - self.reached

    def mean_over_path(self, values_N: npt.NDArray[np.generic]) -> FloatArray:
        """Return the mean over each path's items, float64 [P]; NaN for an empty path."""
        sums = np.bincount(
            self.paths.row_of_value, weights=values_N.astype(np.float64), minlength=len(self)
        )
        result = np.full(len(self), np.nan)
        np.divide(sums, self.lengths, out=result, where=self.lengths > 0)
        return result

    def largest_over_path(self, values_N: FloatArray) -> FloatArray:
        """Return the largest of each path's items, float64 [P]; NaN for an empty path."""
        result = np.full(len(self), -np.inf)
        np.maximum.at(result, self.paths.row_of_value, values_N)
        result[self.lengths == 0] = np.nan
        return result


def judge_paths(
    judge: Recommender,
    pairs: pl.DataFrame,
    paths: PlannedPaths,
    train: Dataset,
    temperature: float = 1.0,
) -> Judgement:
    """Let a judge read every path once, at one temperature; see ``judge_at``."""
    return judge_at(judge, pairs, paths, train, (temperature,))[0]


def judge_at(
    judge: Recommender,
    pairs: pl.DataFrame,
    paths: PlannedPaths,
    train: Dataset,
    temperatures: Sequence[float],
) -> list[Judgement]:
    """Let a judge read every path once; return what it says at each temperature.

    Args:
        judge: Shares no weights and no seed with the planner's models.
        pairs: Frame ``pair_id, user_id, objective_id``; fixes which pairs count and their order.
        paths: The planner's output; a pair without rows counts as a path of no items.
        train: The histories s_h, and the catalogue of the judge.
        temperatures: What its probabilities are rescaled by; 1 is as the judge gives them, and
            ``calibrate`` finds the one at which they mean what they say.  Ranks do not change.

    Raises:
        DataError, UnknownIdError: The pairs do not fit ``train``.
        ResultError: The paths do not fit the pairs, or the judge does not fit ``train`` or gives
            an item no positive probability.
    """
    if judge.items != train.items:
        raise ResultError(
            f"the judge {judge.name} knows {len(judge.items)} items in another order or number "
            f"than {train.name} with {len(train.items)}; train it on this dataset."
        )
    numbers = encode_pairs(pairs, train)
    rows, reached = encode_paths(numbers, paths, train.items)
    histories = train.sequences.take(numbers.user_rows)
    known_users = judge.users.encode(train.users.decode(numbers.user_rows), unknown="mark")
    return judge_rows(judge, numbers, histories, rows, reached, known_users, temperatures)


def judge_rows(
    judge: Recommender,
    numbers: PairNumbers,
    histories: Sequences,
    rows: Sequences,
    reached: BoolArray,
    known_users: IntArray,
    temperatures: Sequence[float] = (1.0,),
) -> list[Judgement]:
    """Let a judge read every path once, all of it given in the judge's numbers.

    Args:
        judge: As in ``judge_paths``.
        numbers: The pairs.
        histories: What the user of each pair had before.
        rows: The path of each pair.
        reached: Whether it shows the objective, as its last item, bool [P].
        known_users: The judge's row of each pair's user, -1 where unknown, int64 [P].
        temperatures: As in ``judge_at``.

    Raises:
        ResultError: The judge gives an item no positive probability.
    """
    readings = [
        _Reading(judge.name, histories, rows, reached, numbers.objectives) for _ in temperatures
    ]

    def read(part: IntArray) -> None:
        chunks = judge.read_paths(histories.take(part), rows.take(part), known_users[part])
        for row_C, step_C, log_probs_CI in chunks:
            for reading, temperature in zip(readings, temperatures, strict=True):
                rescaled_CI = at_temperature(log_probs_CI, temperature)
                reading.add(part[row_C], step_C, rescaled_CI, ranked=reading is readings[0])

    parts = [np.arange(len(rows))[start : start + PART] for start in range(0, len(rows), PART)]
    in_threads(read, parts, torch.get_num_threads() if judge.parallel else 1)
    for reading in readings:
        reading.check_complete()
    repeated = repeats(histories, rows, judge.item_count)
    return [
        Judgement(
            judge=judge.name,
            pair_ids=numbers.pair_ids,
            user_rows=numbers.user_rows,
            paths=rows,
            reached=reached,
            repeated=repeated,
            item_log_probs=reading.item_log_probs,
            item_ranks=readings[0].item_ranks,
            objective_log_probs=reading.objective_log_probs,
            objective_ranks=readings[0].objective_ranks,
            item_count=judge.item_count,
        )
        for reading in readings
    ]


class _Reading:
    """Collects the numbers of one pass, chunk by chunk, whatever the chunks' order.

    Chunks may come from several threads: each writes to places of its own.
    """

    def __init__(
        self,
        judge: str,
        histories: Sequences,
        paths: Sequences,
        reached: BoolArray,
        objectives: IntArray,
    ) -> None:
        items, prefixes = len(paths.values), len(paths.values) + len(paths)
        self.judge = judge
        self.paths = paths
        self.objectives = objectives
        self.known = histories.lengths
        self.whole = histories.extend(paths)
        self.but_objective = histories.extend(paths.drop_last(reached.astype(np.int64)))
        self.item_log_probs = np.full(items, np.nan)
        self.item_ranks = np.zeros(items, dtype=np.int64)
        self.objective_log_probs = np.full(prefixes, np.nan)
        self.objective_ranks = np.zeros(prefixes, dtype=np.int64)

    def add(self, row_C: IntArray, step_C: IntArray, log_probs_CI: Tensor, *, ranked: bool) -> None:
        log_probs_CI = log_probs_CI.detach().float().cpu()
        at_Q = self.paths.offsets[row_C] + row_C + step_C
        objective_C = self.objectives[row_C]
        self.objective_log_probs[at_Q] = self._pick(log_probs_CI, objective_C)
        if ranked:
            self.objective_ranks[at_Q] = ranks_from_scores(
                log_probs_CI, self.but_objective.take(row_C), objective_C
            )
        # After the last item nothing is shown, so that prefix has no item to judge.
        shown = np.flatnonzero(step_C < self.paths.lengths[row_C])
        row_C, step_C, log_probs_CI = row_C[shown], step_C[shown], log_probs_CI[shown]
        at_N = self.paths.offsets[row_C] + step_C
        item_C = self.paths.values[at_N]
        self.item_log_probs[at_N] = self._pick(log_probs_CI, item_C)
        if ranked:
            so_far = self.whole.slice(row_C, np.zeros_like(row_C), self.known[row_C] + step_C)
            self.item_ranks[at_N] = ranks_from_scores(log_probs_CI, so_far, item_C)

    def check_complete(self) -> None:
        if np.isnan(self.objective_log_probs).any():
            raise ResultError(
                f"the judge {self.judge} left prefixes of the paths unread; its read_paths must "
                "cover every row with every step."
            )

    def _pick(self, log_probs_CI: Tensor, item_C: IntArray) -> FloatArray:
        picked = log_probs_CI.numpy()[np.arange(len(item_C)), item_C - 1].astype(np.float64)
        if not np.isfinite(picked).all():
            raise ResultError(
                f"the judge {self.judge} gives {int((~np.isfinite(picked)).sum())} item(s) no "
                "positive probability, so that log P(i | s) is undefined; use a judge with a "
                "softmax over the whole catalogue."
            )
        return picked
