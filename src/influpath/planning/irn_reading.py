"""What IRN has read of each row while it plans, and how it reads on.

Rows differ in what has happened since: one item more, none, several, or another objective.  Where
states never change and the position moves on by one, a row with one item more reads that alone.
Few rows are read with the objective shown and hidden at once, since a reading of few takes about as
long as one of twice as many.

Shape suffixes: B rows, L window, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from influpath.data.sequences import IntArray
from influpath.irn.model import IRN
from influpath.irn.reading import advance
from influpath.irn.state_cache import StateCache
from influpath.planning.base import State

# More news than one reading can take in.
ANEW = 2
# Rows up to which reading twice as many at once takes less time than reading twice.
FEW_ROWS = 8


@dataclass(eq=False)
class Pass:
    """One reading of the windows: with the objective shown, or hidden.

    Attributes:
        shown: Which of the two.
        pending_B: The last item that was recorded since the last reading; 0 for none.
        news_B: How many were; more than one where everything is to be read anew.
        position: Where it chooses; None before the first reading.
        w_t_L: Aggressiveness up to there.
        hidden_BD: The hidden states there.
        cache: Room for keys and values.
        cached: Whether those of the last reading are in it.
        goes_on: Whether the next item stands one position on, so that they will be of use.
    """

    shown: bool
    pending_B: IntArray
    news_B: IntArray
    position: int | None = None
    w_t_L: Tensor = field(default_factory=lambda: torch.empty(0))
    hidden_BD: Tensor = field(default_factory=lambda: torch.empty(0))
    cache: StateCache | None = None
    cached: bool = False
    goes_on: bool = False

    @classmethod
    def of(cls, rows: int, shown: bool) -> Self:
        """Return a reading of so many rows that has read nothing."""
        return cls(shown, np.zeros(rows, dtype=np.int64), np.full(rows, ANEW))

    def append(self, items_B: IntArray) -> None:
        """Take note of at most one item per row, 0 for none."""
        self.pending_B = np.where(items_B > 0, items_B, self.pending_B)
        self.news_B = self.news_B + (items_B > 0)

    def keep(self, rows: IntArray) -> None:
        """Keep some rows, in the given order."""
        self.pending_B, self.news_B = self.pending_B[rows], self.news_B[rows]
        index = torch.from_numpy(rows)
        if self.position is not None:
            self.hidden_BD = self.hidden_BD[index]
        if self.cache is not None and self.cached and self.goes_on:
            self.cache.keep(index)
        elif self.cache is not None:
            # Nothing that is needed: the room alone is kept.
            self.cache, self.cached = self.cache.part(slice(0, len(rows))), False

    def read(
        self,
        model: IRN,
        state: "IRNState",
        slots: int,
        w_t_L: Tensor,
        goes_on: bool,
        cached: bool,
        plain: bool,
    ) -> None:
        """Bring the hidden states up to date.

        Args:
            model: What reads.
            state: Where each row stands.
            slots: Empty slots before the objective.
            w_t_L: Aggressiveness at each position of the window.
            goes_on: Whether the next item stands one position on.
            cached: Whether keys and values of this reading are asked for in any case.
            plain: Whether to read whole windows every time, but where ``cached`` asks for more.
        """
        position = model.config.l_max - 2 - slots
        known_B = self.known(position, w_t_L, cached or goes_on, plain)
        if self.position == position - 1 and known_B.any():
            assert self.cache is not None
            items_B = torch.from_numpy(np.where(known_B, self.pending_B, 0))
            w_t_B = w_t_L[position].expand(len(state))
            self.hidden_BD = advance(model.module, items_B, position, state.r_B, w_t_B, self.cache)
        if not known_B.any():
            self.cached = cached or goes_on
            self._read_all(model, state, slots, w_t_L, plain and not cached)
        elif not known_B.all():
            self._read_some(np.flatnonzero(~known_B), model, state, slots, w_t_L, plain)
        self.up_to_date(position, w_t_L, goes_on)

    def known(
        self, position: int, w_t_L: Tensor, keeps: bool, plain: bool
    ) -> npt.NDArray[np.bool_]:
        """Return which rows need no reading of whole windows, bool [B].

        Args:
            position: Where it is to choose.
            w_t_L: Aggressiveness at each position of the window.
            keeps: Whether keys and values are to be kept.
            plain: As in ``read``.
        """
        moved = None if self.position is None else position - self.position
        one_more = moved == 1 and self.cached and not plain
        # A rejection changes nothing that was read, unless positions or aggressiveness move on.
        same = moved == 0 and torch.equal(self.w_t_L, w_t_L[: position + 1])
        stays = same and (self.cached or not keeps)
        known_B: npt.NDArray[np.bool_] = (self.news_B == moved) & (stays or one_more)
        return known_B

    def up_to_date(self, position: int, w_t_L: Tensor, goes_on: bool) -> None:
        """Take note that everything was read."""
        self.position, self.goes_on, self.w_t_L = position, goes_on, w_t_L[: position + 1]
        self.pending_B = np.zeros_like(self.pending_B)
        self.news_B = np.zeros_like(self.news_B)

    def _read_all(
        self, model: IRN, state: "IRNState", slots: int, w_t_L: Tensor, plain: bool
    ) -> None:
        """Read whole windows of all rows."""
        rows = len(state)
        if self.cached and (self.cache is None or len(self.cache) != rows):
            self.cache = StateCache.blank(model.config, rows)
        self.hidden_BD = model.read(
            state.known,
            state.objectives_B if self.shown else None,
            slots,
            state.r_B,
            w_t_L.expand(rows, -1),
            self.cache if self.cached else None,
            plain,
        )

    def _read_some(
        self,
        rows: IntArray,
        model: IRN,
        state: "IRNState",
        slots: int,
        w_t_L: Tensor,
        plain: bool,
    ) -> None:
        """Read whole windows of some rows, beside others that were read."""
        index = torch.from_numpy(rows)
        cache = StateCache.blank(model.config, len(rows)) if self.cached else None
        self.hidden_BD[index] = model.read(
            state.known.take(rows),
            state.objectives_B[rows] if self.shown else None,
            slots,
            state.r_B[index],
            w_t_L.expand(len(rows), -1),
            cache,
            plain and cache is None,
        )
        if cache is not None:
            assert self.cache is not None, "there is a cache of what was read"
            self.cache.put(index, cache)


@dataclass(eq=False)
class IRNState(State):
    """The state of planning with IRN: readings, and what they have read so far.

    Attributes:
        passes: The readings that the dials need: the objective shown, hidden, and hidden again for
            a look-ahead that stands at a position of its own.
        r_B: Impressionability.
    """

    passes: list[Pass] = field(default_factory=list)
    r_B: Tensor = field(default_factory=lambda: torch.empty(0))

    def append(self, items_B: IntArray, shown: bool = True) -> None:
        """See ``State.append``."""
        super().append(items_B, shown)
        if items_B.any():
            for reading in self.passes:
                # What has read nothing has everything to read in any case.
                if reading.position is not None:
                    reading.append(items_B)

    def retarget(self, objectives_B: IntArray) -> None:
        """See ``State.retarget``: what was read toward the old objective is read anew."""
        for reading in self.passes:
            if reading.shown:
                same_B = objectives_B == self.objectives_B
                reading.news_B = np.where(same_B, reading.news_B, ANEW)
        super().retarget(objectives_B)

    def keep(self, rows: IntArray) -> None:
        """See ``State.keep``; the readings follow."""
        super().keep(rows)
        self.r_B = self.r_B[torch.from_numpy(rows)]
        for reading in self.passes:
            reading.keep(rows)


def read_together(
    passes: Sequence[Pass],
    model: IRN,
    state: IRNState,
    slots: int,
    w_t_L: Tensor,
    goes_on: bool,
    cached: bool,
) -> bool:
    """Read whole windows for several readings at once, where that saves time.

    That is where all of them have everything to read, of few rows.

    Args:
        passes: The readings.
        model: As in ``Pass.read``, with the following; never ``plain``.
        state: Where each row stands.
        slots: Empty slots before the objective.
        w_t_L: Aggressiveness at each position of the window.
        goes_on: Whether the next item stands one position on.
        cached: Whether keys and values are asked for in any case.

    Returns:
        Whether it was done.
    """
    rows, position, keeps = len(state), model.config.l_max - 2 - slots, cached or goes_on
    if rows > FEW_ROWS or any(
        reading.known(position, w_t_L, keeps, plain=False).any() for reading in passes
    ):
        return False
    every = len(passes) * rows
    cache = StateCache.blank(model.config, every) if keeps else None
    objectives_PB = [state.objectives_B * reading.shown for reading in passes]
    hidden_ND = model.read(
        state.known.take(np.tile(np.arange(rows), len(passes))),
        np.concatenate(objectives_PB),
        slots,
        state.r_B.repeat(len(passes)),
        w_t_L.expand(every, -1),
        cache,
    )
    for place, reading in enumerate(passes):
        own = slice(place * rows, (place + 1) * rows)
        reading.hidden_BD, reading.cached = hidden_ND[own], keeps
        reading.cache = None if cache is None else cache.part(own)
        reading.up_to_date(position, w_t_L, goes_on)
    return True
