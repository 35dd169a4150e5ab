"""How much the genres along a path have in common with the objective's.

The overlap of two items is the Jaccard index of their genres: those that both have over those that
either has, from 0 to 1.  It is undefined (NaN) where one of them has no genres.  The objective
itself never counts as an item of the path: its overlap with itself says nothing.

Shape suffixes: I catalogue items, G genres, N any items, P pairs, S moments.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray
from influpath.errors import ConfigError
from influpath.evaluation.judging import FloatArray, Judgement
from influpath.planning.item_distance import genre_vectors

# Objectives compared with the whole catalogue at a time.
CHUNK = 256


class GenreOverlap:
    """The overlap of the items of a catalogue.

    Args:
        vectors_IG: Binary genre vectors in catalogue order.
    """

    def __init__(self, vectors_IG: npt.NDArray[np.float32]) -> None:
        self.vectors_IG = vectors_IG
        self.sizes_I = vectors_IG.sum(1)

    @classmethod
    def of(cls, dataset: Dataset) -> "GenreOverlap | None":
        """Return the overlap by a dataset's genres; None where it has none at all."""
        try:
            return cls(genre_vectors(dataset, dataset.items).numpy())
        except ConfigError:
            return None

    def between(self, a_N: IntArray, b_N: IntArray) -> FloatArray:
        """Return the overlap of each ``a`` with its ``b``, float64 [N].

        Args:
            a_N: Item numbers; 0 stands for no item, whose overlap is undefined.
            b_N: Item numbers.
        """
        known = (a_N > 0) & (b_N > 0)
        # Item 0 reads some row, which is masked out.
        at_a, at_b = a_N - 1, b_N - 1
        both = np.einsum("ng,ng->n", self.vectors_IG[at_a], self.vectors_IG[at_b])
        return _jaccard(both, self.sizes_I[at_a] * known, self.sizes_I[at_b])

    def with_catalogue(self, objective_P: IntArray) -> FloatArray:
        """Return the mean overlap of each objective with all other items, float64 [P].

        It is what an item drawn from the catalogue would have.
        """
        unique, place_P = np.unique(objective_P, return_inverse=True)
        means = np.full(len(unique), np.nan)
        for start in range(0, len(unique), CHUNK):
            at = unique[start : start + CHUNK] - 1
            both = self.vectors_IG[at] @ self.vectors_IG.T
            overlap = _jaccard(both, self.sizes_I[at][:, None], self.sizes_I[None, :])
            overlap[np.arange(len(at)), at] = np.nan
            defined = ~np.isnan(overlap)
            counts = defined.sum(1)
            sums = np.where(defined, overlap, 0.0).sum(1)
            np.divide(sums, counts, out=means[start : start + CHUNK], where=counts > 0)
        return means[place_P]


def overlap_of_genres(a: Iterable[str], b: Iterable[str]) -> float | None:
    """Return the overlap of two items' genres; None where it is undefined.

    >>> overlap_of_genres(["Action", "Comedy"], ["Comedy", "Drama"])
    0.3333333333333333
    """
    first, second = set(a), set(b)
    return len(first & second) / len(first | second) if first and second else None


def overlap_by_moment(
    judgement: Judgement,
    last_P: IntArray,
    objective_P: IntArray,
    overlap: GenreOverlap,
    longest: int,
) -> FloatArray:
    """Return the overlap with the objective at each moment of each path, float64 [P, longest + 1].

    Args:
        judgement: Its paths.
        last_P: The last history item of each pair, which is moment 0; item k is moment k.
        objective_P: The objectives.
        overlap: By genres.
        longest: M.
    """
    table_PS = np.full((len(judgement), longest + 1), np.nan)
    table_PS[:, 0] = overlap.between(last_P, objective_P)
    row_N = judgement.paths.row_of_value
    moment_N = 1 + np.arange(len(row_N)) - judgement.paths.offsets[:-1][row_N]
    item_N, objective_N = judgement.paths.values, objective_P[row_N]
    value_N = overlap.between(item_N, objective_N)
    table_PS[row_N, moment_N] = np.where(item_N == objective_N, np.nan, value_N)
    return table_PS


def overlap_at_ends(judgement: Judgement, table_PS: FloatArray) -> dict[str, FloatArray]:
    """Return where the overlap starts and ends, each float64 [P].

    "history" is the last history item, "first" the first item shown, "last" the last one before
    the objective is shown (of a failed path, its last), and "change" is "last" minus "history".
    First and last are undefined where nothing but the objective is shown.

    Args:
        judgement: Its paths.
        table_PS: From ``overlap_by_moment``.
    """
    shown_P = judgement.lengths - judgement.reached
    rows = np.arange(len(judgement))
    first = np.where(shown_P > 0, table_PS[rows, np.minimum(shown_P, 1)], np.nan)
    last = np.where(shown_P > 0, table_PS[rows, shown_P], np.nan)
    history = table_PS[:, 0]
    return {"history": history, "first": first, "last": last, "change": last - history}


def _jaccard(
    both: npt.NDArray[np.float32], size_a: npt.NDArray[np.float32], size_b: npt.NDArray[np.float32]
) -> FloatArray:
    either = (size_a + size_b - both).astype(np.float64)
    result = np.full(either.shape, np.nan)
    np.divide(both, either, out=result, where=(size_a > 0) & (size_b > 0))
    return result
