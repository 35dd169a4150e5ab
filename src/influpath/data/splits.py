"""The held-out last item, the validation users, and the pieces IRN trains on (paper IV-A2)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences


@dataclass(frozen=True, eq=False)
class Split:
    """A dataset cut for training and next-item evaluation.

    Attributes:
        train: Every user's history without the held-out item: what models fit on, and the
            history ``s_h`` that planning starts from.
        held_out: The item i_q of each user, int64 [R]; 0 where a user had a single item.
    """

    train: Dataset
    held_out: IntArray


def leave_last_out(dataset: Dataset) -> Split:
    """Hold out the last item of each user for the next-item test (paper IV-A2)."""
    lengths = dataset.sequences.lengths
    held_out = np.where(lengths > 1, dataset.sequences.last(), 0)
    train = dataset.with_sequences(dataset.sequences.drop_last((lengths > 1).astype(np.int64)))
    return Split(train=train, held_out=held_out)


def validation_users(users: int, seed: int, share: float = 0.1) -> IntArray:
    """Return a fixed random ``share`` of user rows, sorted, at least one."""
    count = max(1, round(users * share))
    rng = np.random.default_rng([seed, 0x5A11])
    return np.sort(rng.permutation(users)[:count]).astype(np.int64)


def cut_pieces(
    sequences: Sequences, minimum: int, maximum: int, rng: np.random.Generator
) -> tuple[Sequences, IntArray]:
    """Cut each row into contiguous, non-overlapping pieces of ``minimum..maximum`` items.

    Every item is in exactly one piece: the pieces of a row, one after the other, are the row.  A
    row shorter than ``minimum`` is one short piece, which the network pre-pads.  (The published
    code steps the last window back, so its pieces overlap.)

    Args:
        sequences: The rows to cut.
        minimum: l_min.
        maximum: l_max, at least ``2 * minimum``, so that no tail is ever too short.
        rng: Source of the random piece lengths.

    Returns:
        The pieces, and the row each one comes from, int64 [pieces].
    """
    if maximum < 2 * minimum:
        raise ValueError("maximum must be at least twice minimum")
    left = sequences.lengths.copy()
    rounds: list[tuple[IntArray, IntArray]] = []
    rows = np.flatnonzero(left > 0)
    # One round takes one piece from every row that has items left.
    while len(rows):
        rest = left[rows]
        # The draw leaves either nothing or at least `minimum` for the next round.
        high = np.minimum(maximum, rest - minimum)
        drawn = rng.integers(minimum, np.maximum(high, minimum) + 1)
        length = np.where(rest <= maximum, rest, drawn)
        rounds.append((rows, length))
        left[rows] -= length
        rows = rows[left[rows] > 0]
    row = np.concatenate([r for r, _ in rounds]) if rounds else np.empty(0, np.int64)
    length = np.concatenate([n for _, n in rounds]) if rounds else np.empty(0, np.int64)
    # A stable sort by row keeps each row's pieces in order, so the flat values need no copying.
    order = np.argsort(row, kind="stable")
    return Sequences.from_lengths(sequences.values, length[order]), row[order]


def random_subset(count: int, share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a mask with ``share`` of ``count`` entries set, at least one if there are two."""
    chosen = np.zeros(count, dtype=bool)
    size = min(count - 1, max(1, round(count * share))) if count > 1 else 0
    chosen[rng.permutation(count)[:size]] = True
    return chosen
