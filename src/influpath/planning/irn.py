"""``irn``: plan with the Influential Recommender Network and its four dials.

The next item is the best by ``log p(i|s) + g (log p(i|s,i_t) - log p(i|s))``.  Both terms come
from the same network, with the objective shown and hidden, so their difference is a true
likelihood ratio: how much showing the item raises the chance that the objective follows at the
declared slot.  At g = 1 that is IRN as in the paper.  For the ablation, p(i|s) may come from
another recommender instead (the dial ``guidance_model``).

The dial ``lookahead`` adds what the network, objective hidden, says one step ahead: how much more
probable the objective is after i, log p(i_t | s + i) - log p(i_t | s), for the likely items i.
Guidance aims at the declared slot and so pays early on; the look-ahead sees sharper near the end.

Shape suffixes: B rows, L window, D width, K candidates, I catalogue items.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from pydantic import PositiveInt
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.irn.window import empty_slots
from influpath.planning.base import PlanBatch, Proposal, State, best_allowed
from influpath.planning.irn_reading import IRNState, Pass, read_together
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
# Rows planned at once: what is made of them for one layer stays in the processor's caches.  Where
# several numbers per row and catalogue item are needed, fewer do.
MOST_ROWS, MOST_COMPARED_ROWS = 512, 256


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
        state.passes = [Pass.of(len(state), shown=True)]
        alone = self.base is None and self.needs_alone(batch.max_length)
        for wanted in (alone or self.config.looks_ahead, self.config.looks_ahead):
            if wanted:
                state.passes.append(Pass.of(len(state), shown=False))
        return state

    @property
    def parallel(self) -> bool:
        """See ``Planner.parallel``."""
        return self.model.parallel and (self.base is None or self.base.parallel)

    def rows_at_once(self, threads: int = 1) -> int:
        """See ``Planner.rows_at_once``: more would not stay in the processor's caches."""
        compares = self.base is not None or self.needs_alone(self.model.config.horizon)
        most = MOST_COMPARED_ROWS if compares else MOST_ROWS
        return min(super().rows_at_once(threads), most)

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

    @torch.no_grad()
    def step(self, state: IRNState) -> Proposal:
        """Propose the best item by guided log-probability within the floor."""
        pushed = bool((state.push_B != 1).any())
        if self.compares(state, pushed):
            return best_allowed(self.scores(state), state.barred_BI)
        self.read_on(state, state.step, pushed)
        items_B, scores_B = self.model.best_of(state.passes[0].hidden_BD, state.barred_BI)
        return Proposal(items_B, scores_B)

    @torch.no_grad()
    def next_item_scores(self, state: IRNState) -> Tensor:
        """Return guided log-probabilities; items below the floor come after all others."""
        return self.scores(state).masked_fill_(state.barred_BI, -torch.inf)

    def scores(self, state: IRNState) -> Tensor:
        """Return ``next_item_scores``, but for barred items, whose scores mean nothing."""
        k = state.step
        push_B1 = torch.from_numpy(state.push_B).float()[:, None]
        pushed = bool((push_B1 != 1).any())
        guidance = float_at_step(self.config.guidance, k, state.max_length)
        self.read_on(state, k, pushed)
        toward_BI = self.toward(state, k)
        if not self.compares(state, pushed):
            assert toward_BI is not None, "guidance is 1"
            return toward_BI
        scores_BI = alone_BI = self.alone(state)
        floor = at_step(self.config.floor, k)
        ahead = float_at_step(self.config.lookahead, k, state.max_length)
        if floor or ahead:
            allowed_BI = alone_BI.masked_fill(state.barred_BI, -torch.inf)
        if toward_BI is not None:
            # No more memory is taken: what it is made of is needed no longer.
            scores_BI = torch.lerp(alone_BI, toward_BI, guidance * push_B1, out=toward_BI)
        if floor or ahead:
            size = min(floor or self.config.lookahead_top, allowed_BI.shape[1])
            top_BK, column_BK = allowed_BI.topk(size, dim=1)
            if floor:
                scores_BI.add_(allowed_BI < top_BK[:, -1:], alpha=-BELOW_FLOOR)
            if ahead:
                scores_BI.masked_fill_(state.barred_BI, -torch.inf)
                column_BK = column_BK[:, : self.config.lookahead_top]
                self.look_ahead(state, allowed_BI, column_BK, ahead * push_B1, scores_BI)
        return scores_BI

    def read_on(self, state: IRNState, k: int, pushed: bool) -> None:
        """Bring up to date what is read with the objective shown, and hidden."""
        if self.base is None and pushed and len(state.passes) == 1:
            # At another guidance than 1 it is needed from now on.
            state.passes.append(Pass.of(len(state), shown=False))
        later = range(k, state.max_length + 1)
        shown = any(float_at_step(self.config.guidance, j, state.max_length) for j in later)
        due = state.passes[0 if shown else 1 : 2 if self.base is None else 1]
        # A look-ahead goes on from the same reading where there is a slot for its candidates.
        ahead = float_at_step(self.config.lookahead, k, state.max_length)
        self.read(state, due, k, cached=bool(ahead and self.slots(state, k)))

    def toward(self, state: IRNState, k: int) -> Tensor | None:
        """Return log p(i | s, i_t), [B, I], or None where guidance leaves it out."""
        if not float_at_step(self.config.guidance, k, state.max_length):
            return None
        return self.model.log_probs_of(state.passes[0].hidden_BD)

    def compares(self, state: IRNState, pushed: bool) -> bool:
        """Whether a dial or a push asks for log p(i | s) besides log p(i | s, i_t)."""
        if self.base is not None:
            return pushed or self.needs_alone(state.max_length)
        return pushed or len(state.passes) > 1

    def alone(self, state: IRNState) -> Tensor:
        """Return log p(i | s), [B, I]."""
        if self.base is not None:
            return self.base.log_probs(state.known, state.users_B)
        return self.model.log_probs_of(state.passes[1].hidden_BD)

    def look_ahead(
        self,
        state: IRNState,
        allowed_BI: Tensor,
        column_BK: Tensor,
        weight_B1: Tensor,
        scores_BI: Tensor,
    ) -> None:
        """Add the look-ahead to the scores of some items, and deliver.

        Args:
            state: Where each row stands.
            allowed_BI: log p(i | s), barred items at -inf.
            column_BK: Catalogue columns of the items.
            weight_B1: Weight of the look-ahead.
            scores_BI: Scores so far, barred items at -inf; changed.
        """
        k = state.step
        column_B1 = torch.from_numpy(state.objectives_B)[:, None] - 1
        # The candidate needs a slot of its own before the objective's.
        reading = state.passes[1 if self.slots(state, k) else 2]
        position = self.read(state, [reading], k, least=1, cached=True)
        assert reading.cache is not None
        now_B1 = self.model.log_probs_of(reading.hidden_BD).gather(1, column_B1)
        after_BK = self.model.log_prob_after_each(
            column_BK + 1, position + 1, reading.cache, column_B1
        )
        scores_BI.scatter_add_(1, column_BK, weight_B1 * (after_BK - now_B1))
        # No look-ahead says when to show the objective itself: where the user is ready for it.
        rank_B1 = (allowed_BI > allowed_BI.gather(1, column_B1)).sum(1, keepdim=True)
        floor = at_step(self.config.floor, k) or allowed_BI.shape[1]
        gate = floor if k == state.max_length else at_step(self.config.delivery, k)
        objective_B1 = scores_BI.gather(1, column_B1)
        best_B1 = scores_BI.amax(1, keepdim=True)
        delivered_B1 = (rank_B1 < gate) & (objective_B1 > -torch.inf)
        objective_B1 = torch.where(delivered_B1, best_B1 + 1.0, objective_B1 - BELOW_FLOOR)
        scores_BI.scatter_(1, column_B1, objective_B1)

    def slots(self, state: State, k: int) -> int:
        """Return the declared empty slots before the objective when item k is chosen."""
        pace = at_step(self.config.pace, k)
        return empty_slots(k, state.max_length, pace, self.model.config.aligned)

    def read(
        self,
        state: IRNState,
        readings: Sequence[Pass],
        k: int,
        least: int = 0,
        cached: bool = False,
    ) -> int:
        """Bring readings up to date; return the position that chooses.

        Args:
            state: Where each row stands.
            readings: The readings.
            k: The item that is to be chosen.
            least: Empty slots before the objective that there are at any rate.
            cached: The keys and values of those with the objective hidden are asked for, too.
        """
        config = self.model.config
        slots, next_slots = (
            max(least, self.slots(state, j)) for j in (k, min(k + 1, state.max_length))
        )
        position = config.l_max - 2 - slots
        w_t_L = self.aggressiveness(k, state.max_length, position)
        goes_on = self.cacheable and next_slots == slots - 1
        several = len(readings) > 1 and self.cacheable
        if several and read_together(readings, self.model, state, slots, w_t_L, goes_on, cached):
            return position
        for reading in readings:
            own = cached and not reading.shown
            reading.read(self.model, state, slots, w_t_L, goes_on, own, plain=not self.cacheable)
        return position

    @property
    def cacheable(self) -> bool:
        """Whether states never change: not so if the objective's row sees the items."""
        return self.config.cached and not self.model.config.leak

    def aggressiveness(self, k: int, max_length: int, position: int) -> Tensor:
        """Return w_t at every position, [L], when item k of M is chosen at ``position``.

        The position that chose item j has w_t(j); the history has w_t(1).
        """
        w_t = [float_at_step(self.config.w_t, j, max_length) for j in range(1, k + 1)]
        weights = [w_t[0]] * self.model.config.l_max
        for j in range(2, k + 1):
            if (place := position - (k - j)) >= 0:
                weights[place] = w_t[j - 1]
        return torch.tensor(weights)
