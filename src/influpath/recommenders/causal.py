"""Models that read a window from its start and predict after every item: SASRec and GRU4Rec.

Windows are aligned at their start.  A window starts where the history does, or, beyond
``max_length`` items, at a multiple of ``max_length // 4``.  So a history and the same history with
one more item mostly share their window, and a whole path is read in one pass with exactly the
figures that step-by-step prediction gives.  Every window begins with a start token, which is also
how an empty history is served.  Pads come after every real item, where nothing sees them.

Shape suffixes: B batch, L positions, Q those that are asked for, D width, R rows, C rows of one
chunk, K candidates, I catalogue items.
"""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from influpath.data.sequences import IntArray, Sequences, count_up
from influpath.recommenders.blocks import evaluating
from influpath.recommenders.causal_reader import CausalReader, Memory
from influpath.recommenders.neural import NeuralRecommender, Windows

# Positions encoded together, so that their features stay in the processor's cache.
ENCODE_TOKENS = 1 << 12
# Hidden states of a path's prefixes held at once.
HIDDEN_ROWS = 1 << 14


class CausalNetwork(nn.Module):
    """A network over [start, item, item, ...] with the output layer tied to the item embedding.

    Attributes:
        item: Item embedding [I + 1, D]; item 0 is the start token.
        bias: Output bias [I].
    """

    item: nn.Embedding
    bias: nn.Parameter

    @abstractmethod
    def forward(self, items_BL: Tensor, at_BQ: Tensor | None = None) -> Tensor:
        """Return hidden states [B, L + 1, D]; position p predicts item p of the window.

        Args:
            items_BL: Windows, post-padded with 0.
            at_BQ: If given, the only positions that are wanted: [B, Q, D].
        """

    @abstractmethod
    def blank(self, rows: int, width: int) -> Memory:
        """Return a memory of rows that have read nothing, with room for windows of ``width``."""

    @abstractmethod
    def remember(self, items_BL: Tensor) -> tuple[Memory, Tensor]:
        """Read windows; return the memory of them and the hidden state after each, [B, D].

        Args:
            items_BL: Windows, post-padded with 0.
        """

    @abstractmethod
    def step(self, memory: Memory, items_B: Tensor) -> Tensor:
        """Read one more item of each window into the memory; return the hidden states, [B, D].

        Args:
            memory: What was read.
            items_B: Items; 0 reads nothing in its row, whose hidden state is then undefined.
        """

    @abstractmethod
    def peek(self, memory: Memory, candidates_BK: Tensor) -> Tensor:
        """Return the hidden state after each candidate, [B, K, D]; the memory stays as it is.

        Every candidate is the item that follows the window, as if the others did not exist.

        Args:
            memory: What was read.
            candidates_BK: Items that might follow.
        """


class CausalRecommender(NeuralRecommender):
    """A recommender on a causal network; users play no part."""

    module: CausalNetwork

    def _output(self) -> tuple[Tensor, Tensor | None]:
        return self.module.item.weight[1:], self.module.bias

    def _output_of(self, items_K: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.module.item(items_K), self.module.bias[items_K - 1]

    def _supervised(self, windows: Windows, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        items_BL = torch.as_tensor(windows.items.padded())
        hidden_BLD = self.module(items_BL[:, :-1])
        # Row by row: the positions come in the order of the windows' values.
        real_BL = items_BL > 0
        return hidden_BLD[real_BL], items_BL[real_BL]

    def _encode(self, histories: Sequences, users: IntArray | None) -> Tensor:
        lengths = histories.lengths
        start = self.window_start(lengths)
        windows = histories.slice(np.arange(len(lengths)), start, lengths)
        return self._hidden(windows, np.arange(len(lengths)), windows.lengths)

    def _hidden(self, windows: Sequences, rows: IntArray, positions: IntArray) -> Tensor:
        """Encode windows in batches of similar length; pick (row, position) pairs: [pairs, D]."""
        result = torch.empty(len(rows), self.config.embedding_size)
        by_length = np.argsort(windows.lengths, kind="stable")
        pairs_of = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[pairs_of], np.arange(len(windows) + 1))
        for batch in length_batches(windows.lengths[by_length], ENCODE_TOKENS):
            chosen = by_length[batch]
            counts = bounds[chosen + 1] - bounds[chosen]
            local, slot = np.repeat(np.arange(len(chosen)), counts), count_up(counts)
            pair = pairs_of[bounds[chosen][local] + slot]
            # Rows that are asked at fewer positions are asked at the first again.
            at_BQ = np.zeros((len(chosen), counts.max(initial=0)), dtype=np.int64)
            at_BQ[local, slot] = positions[pair]
            items_BL = torch.as_tensor(windows.take(chosen).padded())
            hidden_BQD = self.module(items_BL, torch.as_tensor(at_BQ))
            result[torch.as_tensor(pair)] = hidden_BQD[
                torch.as_tensor(local), torch.as_tensor(slot)
            ]
        return result

    def window_start(self, lengths: IntArray) -> IntArray:
        """Return where the window of a history of each length starts."""
        width = self.config.max_length
        stride = max(1, width // 4)
        return np.where(lengths <= width, 0, -(-(lengths - width) // stride) * stride)

    def remember(self, windows: Sequences) -> tuple[Memory, Tensor]:
        """Read windows, those of similar length together; see ``CausalNetwork.remember``."""
        memory = self.module.blank(len(windows), int(windows.lengths.max(initial=0)))
        hidden_BD = torch.empty(len(windows), self.config.embedding_size)
        order = np.argsort(windows.lengths, kind="stable")
        for batch in length_batches(windows.lengths[order], ENCODE_TOKENS):
            rows = torch.as_tensor(order[batch])
            with torch.no_grad():
                part, hidden_RD = self.module.remember(
                    torch.as_tensor(windows.take(order[batch]).padded())
                )
            memory.put(rows, part)
            hidden_BD[rows] = hidden_RD
        return memory, hidden_BD

    def reader(self, histories: Sequences, users: IntArray | None = None) -> CausalReader:
        """See ``Recommender.reader``: every item is read once."""
        return CausalReader(self, histories, users)

    def user_vectors_after(
        self, histories: Sequences, candidates_RK: IntArray, users: IntArray | None = None
    ) -> Tensor:
        """See ``Recommender.user_vectors_after``: the candidates of a row share its window."""
        return self.reader(histories, users).user_vectors_after(candidates_RK)

    def read_paths(
        self, histories: Sequences, paths: Sequences, users: IntArray | None = None
    ) -> Iterator[tuple[IntArray, IntArray, Tensor]]:
        """See ``Recommender.read_paths``: each window is encoded once for all steps in it."""
        self.items  # noqa: B018 - raises where the model is not trained
        evaluating(self.module)
        whole = histories.extend(paths)
        counts = paths.lengths + 1
        size = max(1, HIDDEN_ROWS // int(counts.max(initial=1)))
        for begin in range(0, len(histories), size):
            chunk = np.arange(begin, min(begin + size, len(histories)))
            rows = np.repeat(chunk, counts[chunk])
            steps = count_up(counts[chunk])
            lengths = histories.lengths[rows] + steps
            start = self.window_start(lengths)
            # One window per (row, start), long enough for the last step that uses it.
            keys, window = np.unique(np.stack([rows, start]), axis=1, return_inverse=True)
            stop = np.zeros(keys.shape[1], dtype=np.int64)
            np.maximum.at(stop, window, lengths)
            windows = whole.slice(keys[0], keys[1], stop)
            with torch.no_grad():
                hidden_CD = self._hidden(windows, window, lengths - start)
            # Predictions are far wider than hidden states.
            for first in range(0, len(rows), self.chunk_rows()):
                part = slice(first, first + self.chunk_rows())
                with torch.no_grad():
                    log_probs_CI = self._log_probs_of(hidden_CD[part])
                yield rows[part], steps[part], log_probs_CI


def length_batches(lengths: IntArray, tokens: int) -> Iterator[IntArray]:
    """Cut rows sorted by length into batches of at most ``tokens`` padded positions.

    Where the length changes in the second half of a batch, it ends there: rows of one length need
    no mask.
    """
    start = 0
    while start < len(lengths):
        # The last row of a batch is its longest; grow until the bound is met.
        widths = (lengths[start:] + 1) * np.arange(1, len(lengths) - start + 1)
        size = max(1, int(np.searchsorted(widths, tokens, side="right")))
        last = lengths[start + size - 1]
        same = int(np.searchsorted(lengths[start : start + size], last))
        if start + size < len(lengths) and lengths[start + size] == last and 2 * same >= size:
            size = same
        yield np.arange(start, start + size)
        start += size
