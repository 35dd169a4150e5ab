"""``irn``: plan with the Influential Recommender Network and its four dials.

The next item is the best by ``log p(i|s) + g (log p(i|s,i_t) - log p(i|s))``.  Both terms come
from the same network, with the objective shown and hidden, so their difference is a true
likelihood ratio: how much showing the item raises the chance that the objective follows at the
declared slot.  At g = 1 that is IRN as in the paper.  For the ablation, p(i|s) may come from
another recommender instead (the dial ``guidance_model``).

The dial ``lookahead`` adds what the network, objective hidden, says one step ahead: how much more
probable the objective is after i, log p(i_t | s + i) - log p(i_t | s), for the likely items i.
Guidance aims at the declared slot and so pays early on; the look-ahead sees sharper near the end.

Shape suffixes: B rows, L window, D width, I catalogue items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import PositiveInt
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.irn.network import KeyValueCache
from influpath.irn.window import empty_slots, plan_window
from influpath.planning.base import PlanBatch, Proposal, State, best_allowed
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.parts import PlannerParts
from influpath.planning.schedule import (
    FloatSchedule,
    IntSchedule,
    PositiveIntSchedule,
    Ramp,
    at_step,
    float_at_step,
)
from influpath.recommenders.base import Recommender

# Beyond any difference of guided log-probabilities.  The floor is taken among the items that may
# be shown, so that one above it always exists and none below it is ever shown.
BELOW_FLOOR = 1e4
# More news than one reading can take in.
ANEW = 2


class IRNDials(FrozenConfig):
    """How hard IRN pushes; each dial is one value, one per step, or (w_t, guidance) a ramp.

    ``State.push_B`` multiplies ``guidance`` and ``lookahead``, which act on what was read; ``w_t``
    is part of the reading and stays.

    Attributes:
        w_t: Weight of the objective in the mask (the paper's aggressiveness).  It belongs to the
            position that chooses item k; history positions use that of the first step.
        guidance: g, how much the objective counts: 0 ignores it, 1 is the plain model.
        pace: c; above 1 the declared distance to the objective is divided by it.
        floor: Only items among the network's own top ``floor`` by p(i|s) may be shown, the
            objective included; 0 is no floor.
        lookahead: Weight of the network's own look-ahead; 0 is none.
        lookahead_top: It is for so many of the most probable items above the floor.
        delivery: With look-ahead, the objective is shown as soon as it is among the network's own
            top ``delivery`` by p(i|s) and, as the last item, wherever it is above the floor.
        cached: Reuse the states of earlier positions where that is exact (False only to prove it).
        guidance_model: Name of another recommender that p(i|s) of guidance and floor is taken
            from; None is IRN itself with the objective hidden, the only true likelihood ratio.
    """

    w_t: FloatSchedule = 1.0
    guidance: FloatSchedule = 1.0
    pace: PositiveIntSchedule = 1
    floor: IntSchedule = 0
    lookahead: FloatSchedule = 0.0
    lookahead_top: PositiveInt = 50
    delivery: PositiveIntSchedule = 5
    cached: bool = True
    guidance_model: str | None = None

    @property
    def looks_ahead(self) -> bool:
        """Whether there is a look-ahead at any step."""
        dial = self.lookahead
        values = (dial.start, dial.end) if isinstance(dial, Ramp) else dial
        return any(values) if isinstance(values, tuple) else bool(values)


@dataclass
class Pass:
    """One reading of the windows: with the objective shown, or hidden."""

    shown: bool
    cache: KeyValueCache | None = None
    hidden_BD: Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass(eq=False)
class IRNState(State):
    """The state of planning with IRN: readings, and what they have read so far.

    Attributes:
        passes: The readings that the dials need.
        r_B: Impressionability.
        pending_B: The last item that was recorded since the last reading; 0 for none.
        news_B: How many were; more than one where everything is to be read anew.
        position: Where the readings choose; None before the first.
    """

    passes: list[Pass] = field(default_factory=list)
    r_B: Tensor = field(default_factory=lambda: torch.empty(0))
    pending_B: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    news_B: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    position: int | None = None

    def append(self, items_B: npt.NDArray[np.int64], shown: bool = True) -> None:
        """See ``State.append``."""
        super().append(items_B, shown)
        self.pending_B = np.where(items_B > 0, items_B, self.pending_B)
        self.news_B = self.news_B + (items_B > 0)

    def retarget(self, objectives_B: npt.NDArray[np.int64]) -> None:
        """See ``State.retarget``: what was read toward the old objective is read anew."""
        self.news_B = np.where(objectives_B == self.objectives_B, self.news_B, ANEW)
        super().retarget(objectives_B)

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """See ``State.keep``; the caches follow."""
        super().keep(rows)
        index = torch.from_numpy(rows)
        self.r_B = self.r_B[index]
        self.pending_B, self.news_B = self.pending_B[rows], self.news_B[rows]
        for reading in self.passes:
            if reading.cache is not None:
                reading.cache.keep(index)
            if len(reading.hidden_BD):
                reading.hidden_BD = reading.hidden_BD[index]


class IRNPlanner(ModelPlanner[IRNDials]):
    """Plans with IRN.

    Args:
        model: A fitted IRN.
        config: The dials; or
        dials: the same as keywords, such as ``IRNPlanner(model, guidance=4, pace=3, floor=100)``.
        base: The recommender that ``guidance_model`` names; it may be given alone.

    Raises:
        ConfigError: ``guidance_model`` is given without its model, or that model knows other items
            or users.
    """

    name: ClassVar[str] = "irn"
    config_class: ClassVar[type[FrozenConfig]] = IRNDials
    model: IRN

    def __init__(
        self,
        model: Recommender,
        config: IRNDials | None = None,
        base: Recommender | None = None,
        **dials: object,
    ) -> None:
        if base is not None and config is None:
            dials = {"guidance_model": base.name, **dials}
        super().__init__(model, config, **dials)
        self.base = base
        wanted = self.config.guidance_model
        if (base is None) != (wanted is None):
            raise ConfigError(
                f"guidance_model is {wanted!r}, so that the planner needs a model of that name "
                "(base), and none without it."
            )
        if base is not None and (base.items != model.items or base.users != model.users):
            raise ConfigError(
                f"guidance_model {wanted!r} knows other items or users than {model.name}; train "
                "both on the same data."
            )

    @classmethod
    def build(cls, parts: PlannerParts, model_name: str | None, dials: Mapping[str, Any]) -> Self:
        """See ``Planner.build``; ``guidance_model`` is one of the models at hand."""
        config: IRNDials = cls.parse_dials(dials)
        name = config.guidance_model
        base = None if name is None else parts.model(name, f"{cls.name} (guidance_model)")
        return cls(cls.pick_model(parts, model_name), config, base)

    @property
    def label(self) -> str:
        """See ``Planner.label``: there is only one model of its kind."""
        return self.name

    @torch.no_grad()
    def start(self, batch: PlanBatch) -> IRNState:
        """See ``Planner.start``.

        Raises:
            ConfigError: The window has no room for paths that long.
        """
        l_max, horizon = self.model.config.l_max, self.model.config.horizon
        if self.model.config.aligned and batch.max_length > horizon:
            raise ConfigError(
                f"max_length is {batch.max_length}, but this IRN was trained for paths of at most "
                f"{horizon} items in a window of {l_max}; train one with horizon = "
                f"{batch.max_length} and l_max of at least {40 + batch.max_length}."
            )
        state = IRNState.begin(batch)
        assert isinstance(state, IRNState)
        state.r_B = self.model.module.r_u(torch.from_numpy(batch.users_B))
        state.pending_B = np.zeros(len(state), dtype=np.int64)
        state.news_B = np.full(len(state), ANEW)
        state.passes = [Pass(shown=True)]
        alone = self.base is None and self.needs_alone(batch.max_length)
        if alone or self.config.looks_ahead:
            state.passes.append(Pass(shown=False))
        return state

    def needs_alone(self, max_length: int) -> bool:
        """Whether p(i | s) is needed besides p(i | s, i_t)."""
        if self.config.looks_ahead:
            return True
        steps = range(1, max_length + 1)
        return any(
            float_at_step(self.config.guidance, k, max_length) != 1
            or at_step(self.config.floor, k) > 0
            for k in steps
        )

    def step(self, state: IRNState) -> Proposal:
        """Propose the best item by guided log-probability within the floor."""
        return best_allowed(self.next_item_scores(state))

    @torch.no_grad()
    def next_item_scores(self, state: IRNState) -> Tensor:
        """Return guided log-probabilities; items below the floor come after all others."""
        k = state.step
        self.read(state, k)
        toward_BI = self.model.log_probs_of(state.passes[0].hidden_BD)
        push_B1 = torch.from_numpy(state.push_B).float()[:, None]
        guidance_B1 = float_at_step(self.config.guidance, k, state.max_length) * push_B1
        floor = at_step(self.config.floor, k)
        scores_BI = toward_BI
        alone_BI = self.alone(state)
        if alone_BI is not None:
            if bool((guidance_B1 != 1).any()):
                scores_BI = torch.lerp(alone_BI, toward_BI, guidance_B1)
            allowed_BI = alone_BI.masked_fill(state.barred_BI, -torch.inf)
            if floor > 0:
                scores_BI = scores_BI - BELOW_FLOOR * outside_top(allowed_BI, floor)
            if float_at_step(self.config.lookahead, k, state.max_length):
                scores_BI = self.look_ahead(state, allowed_BI, scores_BI)
        return scores_BI.masked_fill(state.barred_BI, -torch.inf)

    def alone(self, state: IRNState) -> Tensor | None:
        """Return log p(i | s), [B, I], or None where no dial asks for it."""
        if self.base is not None:
            wanted = self.needs_alone(state.max_length) or bool((state.push_B != 1).any())
            return self.base.log_probs(state.known, state.users_B) if wanted else None
        if len(state.passes) > 1:
            return self.model.log_probs_of(state.passes[1].hidden_BD)
        return None

    def look_ahead(self, state: IRNState, allowed_BI: Tensor, scores_BI: Tensor) -> Tensor:
        """Add the look-ahead to the scores of the items above the floor, and deliver, [B, I].

        Args:
            state: Just read.
            allowed_BI: log p(i | s), barred items at -inf.
            scores_BI: Scores so far.
        """
        k = state.step
        config = self.model.config
        items = allowed_BI.shape[1]
        floor = at_step(self.config.floor, k) or items
        column_BK = allowed_BI.topk(min(floor, self.config.lookahead_top, items), dim=1).indices
        column_B1 = torch.from_numpy(state.objectives_B)[:, None] - 1
        # The candidate needs a slot of its own before the objective's.
        slots = max(
            1, empty_slots(k, state.max_length, at_step(self.config.pace, k), config.aligned)
        )
        position = config.l_max - 2 - slots
        reading = state.passes[1]
        if reading.cache is None or state.position != position:
            reading = Pass(shown=False)
            self.encode(state, reading, k, slots, np.arange(len(state)), cached=True)
        assert reading.cache is not None
        now_B1 = self.model.log_probs_of(reading.hidden_BD).gather(1, column_B1)
        after_BK = self.model.log_prob_after_each(
            column_BK + 1, position + 1, reading.cache, column_B1
        )
        push_B1 = torch.from_numpy(state.push_B).float()[:, None]
        weight_B1 = float_at_step(self.config.lookahead, k, state.max_length) * push_B1
        gain_BK = weight_B1 * (after_BK - now_B1)
        scores_BI = scores_BI.scatter_add(1, column_BK, gain_BK)
        # No look-ahead says when to show the objective itself: where the user is ready for it.
        rank_B1 = (allowed_BI > allowed_BI.gather(1, column_B1)).sum(1, keepdim=True)
        gate = floor if k == state.max_length else at_step(self.config.delivery, k)
        objective_B1 = scores_BI.gather(1, column_B1)
        best_B1 = scores_BI.masked_fill(state.barred_BI, -torch.inf).amax(1, keepdim=True)
        objective_B1 = torch.where(rank_B1 < gate, best_B1 + 1.0, objective_B1 - BELOW_FLOOR)
        return scores_BI.scatter(1, column_B1, objective_B1)

    def read(self, state: IRNState, k: int) -> None:
        """Bring the hidden state of the choosing position up to date in every reading."""
        config = self.model.config
        slots = empty_slots(k, state.max_length, at_step(self.config.pace, k), config.aligned)
        position = config.l_max - 2 - slots
        pushed = bool((state.push_B != 1).any())
        if pushed and self.base is None and len(state.passes) == 1:
            # Guidance is another now, so that p(i | s) is needed too.
            state.passes.append(Pass(shown=False))
        moved = None if state.position is None else position - state.position
        one_more = moved == 1 and self.cacheable
        goes_on = moved == 0 or one_more
        # A rejection changes nothing that was read, unless positions move meanwhile.
        known_B = (state.news_B == moved) & goes_on
        for reading in state.passes:
            rows = np.flatnonzero(~known_B)
            if not len(reading.hidden_BD):
                rows = np.arange(len(state))
            elif one_more and reading.cache is not None and known_B.any():
                w_t = float_at_step(self.config.w_t, k, state.max_length)
                w_t_B = torch.full((len(state),), w_t)
                items_B = torch.from_numpy(np.where(known_B, state.pending_B, 0))
                reading.hidden_BD = self.model.module.advance(
                    items_B, position, state.r_B, w_t_B, reading.cache
                )
            self.encode(state, reading, k, slots, rows)
        state.position = position
        state.pending_B, state.news_B = np.zeros_like(state.pending_B), np.zeros_like(state.news_B)

    @property
    def cacheable(self) -> bool:
        """Whether states never change: not so if the objective's row sees the items."""
        return self.config.cached and not self.model.config.leak

    def encode(
        self,
        state: IRNState,
        reading: Pass,
        k: int,
        slots: int,
        rows: npt.NDArray[np.int64],
        cached: bool = False,
    ) -> None:
        """Read whole windows of some rows, all of them where nothing was read before.

        The states are kept where they never change, or where told to.
        """
        if not len(rows):
            return
        config, module = self.model.config, self.model.module
        objectives_R = state.objectives_B[rows] * reading.shown
        items_RL = plan_window(state.known.take(rows), objectives_R, slots, config.l_max)
        cache = empty_cache(self.model, items_RL) if cached or self.cacheable else None
        w_t_L = self.aggressiveness(k, state.max_length, config.l_max - 2 - slots)
        index = torch.from_numpy(rows)
        hidden_R1D = module(
            items_RL,
            items_RL[:, -1] > 0,
            state.r_B[index],
            w_t_L.expand(len(items_RL), -1),
            cache,
            at=config.l_max - 2 - slots,
        )
        if len(rows) == len(state):
            reading.hidden_BD, reading.cache = hidden_R1D[:, 0], cache
            return
        reading.hidden_BD[index] = hidden_R1D[:, 0]
        if cache is not None:
            assert reading.cache is not None, "rows are read alone only beside others"
            reading.cache.put(index, cache)

    def aggressiveness(self, k: int, max_length: int, position: int) -> Tensor:
        """Return w_t at every position, [L], when item k of M is chosen at ``position``.

        The position that chose item j has w_t(j); the history has w_t(1).
        """
        w_t = [float_at_step(self.config.w_t, j, max_length) for j in range(1, k + 1)]
        w_t_L = torch.full((self.model.config.l_max,), w_t[0])
        for j in range(2, k + 1):
            if (place := position - (k - j)) >= 0:
                w_t_L[place] = w_t[j - 1]
        return w_t_L


def outside_top(scores_BI: Tensor, n: int) -> Tensor:
    """Return where a score is below the row's n-th best, bool [B, I]."""
    if n >= scores_BI.shape[1]:
        return torch.zeros_like(scores_BI, dtype=torch.bool)
    nth_B1 = scores_BI.topk(n, dim=1).values[:, -1:]
    return scores_BI < nth_B1


def empty_cache(model: IRN, items_BL: Tensor) -> KeyValueCache:
    """Return a cache for windows; empty slots become visible when they are filled."""
    config = model.config
    shape = (
        config.layers,
        len(items_BL),
        config.heads,
        config.l_max,
        config.embedding_size // config.heads,
    )
    return KeyValueCache(torch.zeros(shape), torch.zeros(shape), items_BL > 0)
