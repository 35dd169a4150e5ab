"""The item graph of Pf2Inf: which item came right after which in the sequences (paper III-B).

Vertex i is item number i.  Vertex 0, which the paper does not have, stands before the first item
of every sequence: it is where the path of a user without a history starts, and no path passes it.

Shape suffixes: V vertices (catalogue items + 1), F some vertices, E edges.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from influpath.data.sequences import IntArray, Sequences, count_up

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BEGINNING = 0


@dataclass(frozen=True, eq=False)
class ItemGraph:
    """How often each item came right after each other one.

    Attributes:
        counts_VV: Sparse rows, int64 [V, V]: entry (i, j) counts j right after i; row 0 counts the
            first items of the sequences.  An item right after itself is no edge.
    """

    counts_VV: sparse.csr_array

    @classmethod
    def from_sequences(cls, sequences: Sequences, items: int) -> "ItemGraph":
        """Count consecutive items.

        Args:
            sequences: The training sequences.
            items: Catalogue size.
        """
        after = sequences.values
        before = np.roll(after, 1)
        before[sequences.offsets[:-1][sequences.lengths > 0]] = BEGINNING
        edge = before != after
        counts = sparse.coo_array(
            (np.ones(int(edge.sum()), dtype=np.int64), (before[edge], after[edge])),
            shape=(items + 1, items + 1),
        )
        return cls(counts.tocsr())

    def neighbours(self) -> Sequences:
        """Return the undirected neighbours of each vertex, ascending.

        Vertex 0 has the first items as neighbours and is itself nobody's.
        """
        both_VV = (self.counts_VV + self.counts_VV.T).tocsr()
        both_VV.sort_indices()
        found = Sequences(both_VV.indices.astype(np.int64), both_VV.indptr.astype(np.int64))
        kept = found.values != BEGINNING
        kept_V = np.bincount(found.row_of_value, weights=kept, minlength=len(found))
        return Sequences.from_lengths(found.values[kept], kept_V.astype(np.int64))

    def undirected_edges(self) -> tuple[IntArray, IntArray]:
        """Return every undirected edge once, as its lower and its higher vertex, each [E]."""
        near = self.neighbours()
        lower, higher = near.row_of_value, near.values
        once = lower < higher
        return lower[once], higher[once]


def edges_out_of(vertices_F: IntArray, offsets: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Return the edges of some rows of a sparse matrix.

    Args:
        vertices_F: The rows.
        offsets: Its ``indptr``.

    Returns:
        For every edge its place in ``indices`` and ``data``, and the place in ``vertices_F`` of
        the vertex it comes from.
    """
    counts_F = (offsets[vertices_F + 1] - offsets[vertices_F]).astype(np.int64)
    first_F = offsets[vertices_F].astype(np.int64)
    return (
        np.repeat(first_F, counts_F) + count_up(counts_F),
        np.repeat(np.arange(len(vertices_F)), counts_F),
    )


def random_ranks(seed: int, objective: int, vertices: int) -> IntArray:
    """Return the place of each vertex in a random order, [V], which breaks ties.

    One order for all objectives would lead every tie through the same few items, and the order of
    the catalogue would make an artefact of how it was filed.  A new order for each objective is as
    fair, and depends on no other row of the batch.
    """
    ranks_V: IntArray = np.random.default_rng([seed, objective]).permutation(vertices)
    return ranks_V
