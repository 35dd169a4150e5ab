"""Histories that grow and lose rows while they are planned for, put together when asked for.

A planner that goes on from what it has read asks once, while all of them are written anew at every
step otherwise.

Shape suffixes: B rows.
"""

from influpath.data.sequences import IntArray, Sequences


class Growing:
    """Sequences and what has happened to them since they were last put together.

    Args:
        sequences: What there is to begin with.
    """

    def __init__(self, sequences: Sequences) -> None:
        self._sequences, self._rows = sequences, len(sequences)
        self._later: list[tuple[bool, IntArray]] = []

    def __len__(self) -> int:
        return self._rows

    def append(self, items_B: IntArray) -> None:
        """Add one value to each row; 0 adds nothing to its row."""
        self._later.append((True, items_B))

    def take(self, rows: IntArray) -> None:
        """Keep some rows, in the given order."""
        self._later.append((False, rows))
        self._rows = len(rows)

    @property
    def sequences(self) -> Sequences:
        """All of it."""
        for grows, numbers in self._later:
            whole = self._sequences
            self._sequences = whole.append(numbers) if grows else whole.take(numbers)
        self._later = []
        return self._sequences
