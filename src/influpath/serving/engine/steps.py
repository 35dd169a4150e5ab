"""The next items of several people at once.

People who go on with one planner and horizon, and were shown the same number of items, are rows of
one session.  What a row gets does not depend on the others, but for rounding.

Shape suffixes: B rows, I catalogue items, K members of an objective.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.errors import InfluPathError
from influpath.planning.aims import best_members
from influpath.planning.base import PlanBatch, State, seen_items
from influpath.planning.feasibility import Feasibility
from influpath.planning.feasibility_features import Reading
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.sensitivity import Sensitivity
from influpath.planning.session import Session
from influpath.recommenders.ranking import target_ranks
from influpath.serving.engine.asks import StepAnswer, StepAsk
from influpath.serving.engine.loaded import Loaded
from influpath.serving.engine.reason import reasons
from influpath.serving.engine.replay import Organic, Slots, in_slots, replay, shown_slots

HAD = "the user has had every item of the objective"
GONE = "every item of the objective was had or rejected before, or is excluded"


@dataclass(frozen=True, eq=False)
class Known:
    """What was found out of a person before the first step.

    Attributes:
        log_prob_I: log p(i | s) of the planner's model.
        target: The member of the objective that is reached best, nothing excluded.
    """

    log_prob_I: Tensor
    target: int


@dataclass(frozen=True, eq=False)
class Prepared:
    """An ask in numbers.

    Attributes:
        ask: The ask.
        history: Items before the journey, oldest first.
        happened: Since then.
        user: Row of the model that is asked, -1 where unknown.
        members: Items that fulfil the objective; empty for the plain recommender.
        excluded_I: Items that may never be shown.
        log_prob_I: log p(i | s) of the planner's model, where the history was read already.
        target: The member that is led to, where that is known already.
    """

    ask: StepAsk
    history: IntArray
    happened: tuple[Slots, Organic]
    user: int
    members: IntArray
    excluded_I: Tensor
    log_prob_I: Tensor | None = None
    target: int | None = None

    @classmethod
    def of(cls, loaded: Loaded, ask: StepAsk, known: Known | None = None) -> "Prepared":
        """Look everything up.

        Args:
            loaded: The bundle.
            ask: The ask.
            known: What was found out before; only where nothing has happened since.

        Raises:
            UnknownIdError: An item or a category is not in the catalogue.
        """
        plain = ask.objective is None
        model = loaded.bundle.plain if plain else loaded.bundle.model
        members = np.empty(0, dtype=np.int64)
        excluded_I = loaded.excluded(ask.limits)
        if ask.objective is not None:
            members = loaded.catalogue.member_numbers(ask.objective)
        return cls(
            ask=ask,
            history=loaded.history(ask.person),
            happened=in_slots(ask.moments, loaded.catalogue.items),
            user=loaded.user_row(ask.person, model),
            members=members,
            excluded_I=excluded_I,
            log_prob_I=None if known is None else known.log_prob_I,
            # It was chosen among all of them.
            target=None if known is None or excluded_I.any() else known.target,
        )


def group_of(ask: StepAsk) -> tuple[str, bool, int, int]:
    """Return what asks must agree in to be rows of one session."""
    return ask.version, ask.objective is None, ask.horizon, shown_slots(ask.moments)


def answer_group(
    loaded: Loaded, asks: Sequence[StepAsk], known: Sequence[Known] | None = None
) -> list[StepAnswer | InfluPathError]:
    """Answer asks that agree in ``group_of``; an ask that is wrong fails alone.

    Args:
        loaded: The bundle.
        asks: The asks.
        known: What was found out of each before, if it was.
    """
    answers: list[StepAnswer | InfluPathError] = []
    prepared: list[Prepared] = []
    for place, ask in enumerate(asks):
        try:
            prepared.append(Prepared.of(loaded, ask, None if known is None else known[place]))
            answers.append(StepAnswer(None))
        except InfluPathError as cause:
            answers.append(cause)
    try:
        found: Sequence[StepAnswer | InfluPathError] = next_items(loaded, prepared)
    except InfluPathError as cause:
        # Of horizon and planner, which all have in common.
        found = [cause] * len(prepared)
    waiting = iter(found)
    return [each if isinstance(each, InfluPathError) else next(waiting) for each in answers]


def next_items(loaded: Loaded, rows: Sequence[Prepared]) -> list[StepAnswer]:
    """Return the next item of each row.

    Raises:
        ConfigError: The planner cannot plan that far.
    """
    if not rows:
        return []
    first = rows[0].ask
    planner = loaded.plain if first.objective is None else loaded.bundle.planner
    with torch.inference_mode():
        session = Session(
            planner,
            PlanBatch(
                users_B=np.array([row.user for row in rows]),
                histories=Sequences.from_rows([row.history for row in rows]),
                objectives_B=np.array([row.members[0] if len(row.members) else 1 for row in rows]),
                max_length=first.horizon,
                items=len(planner.items),
            ),
            Sensitivity(),
        )
        replay(session, [row.happened for row in rows])
        if session.slots_left <= 0:
            note = f"all {first.horizon} items of the journey were shown"
            return [StepAnswer(None, note=note) for _ in rows]
        state = session.state
        learned_B = np.where([row.ask.adapts for row in rows], state.push_B, 1.0)
        given_B = np.array([row.ask.aggressiveness for row in rows])
        state.push_B = np.minimum(given_B * learned_B, [row.ask.most for row in rows])
        reading = Reading(
            log_probs(planner, state, rows), seen_items(state.known, len(planner.items))
        )
        excluded_BI = torch.stack([row.excluded_I for row in rows])
        targets_B = np.zeros(len(rows), dtype=np.int64)
        if first.objective is not None:
            targets_B = targets(loaded, rows, state, reading, excluded_BI)
            session.retarget(np.where(targets_B > 0, targets_B, state.objectives_B))
        floor_B = np.array([row.ask.limits.floor for row in rows])
        state.barred_BI = state.barred_BI | excluded_BI | below_floor(reading, floor_B)
        items_B = session.propose().items_B
        return in_full(loaded, rows, state, reading, items_B, targets_B)


def log_probs(planner: ModelPlanner[Any], state: State, rows: Sequence[Prepared]) -> Tensor:
    """Return log p(i | s) of the planner's model, the objective hidden, [B, I]."""
    read = [row.log_prob_I for row in rows if row.log_prob_I is not None]
    if len(read) == len(rows):
        return torch.stack(read)
    # Where the planner reads along, it has read this already.
    return planner.reading(state).log_probs()


def targets(
    loaded: Loaded, rows: Sequence[Prepared], state: State, reading: Reading, excluded_BI: Tensor
) -> IntArray:
    """Return the member that each row is led to, 0 where none is left."""
    known = [row.target for row in rows if row.target is not None]
    if len(known) == len(rows):
        return np.array(known)
    members_BK = padded([row.members for row in rows])
    return aim(state, reading, members_BK, excluded_BI, loaded.bundle.feasibility)


def padded(members: Sequence[IntArray]) -> IntArray:
    """Return members of objectives, each row filled up with its first, int64 [B, K]."""
    rows_BK = Sequences.from_rows(members).padded()
    return np.where(rows_BK > 0, rows_BK, rows_BK[:, :1])


def aim(
    state: State,
    reading: Reading,
    members_BK: IntArray,
    excluded_BI: Tensor,
    feasibility: Feasibility | None,
) -> IntArray:
    """Return the member that each row is led to, 0 where none is left (see ``Aim``).

    Where all that are left rest, since they were ignored lately, it is the best of these.
    """
    resting_BI = torch.zeros_like(excluded_BI)
    row, place = np.nonzero(state.resting_BN)
    resting_BI[torch.from_numpy(row), torch.from_numpy(state.resting_BN[row, place] - 1)] = True
    for_good_BI = state.barred_BI & ~resting_BI | excluded_BI
    barred_BI = state.barred_BI | excluded_BI
    column_BK = torch.from_numpy(members_BK) - 1
    open_BK = ~barred_BI.gather(1, column_BK)
    left_BK = ~for_good_BI.gather(1, column_BK)
    left_BK = torch.where(open_BK.any(1, keepdim=True), open_BK, left_BK)
    # One member needs no choice, and most objectives have no more.
    target_B = np.where(left_BK[:, 0].numpy(), members_BK[:, 0], 0)
    several = np.flatnonzero((members_BK != members_BK[:, :1]).any(1))
    if len(several):
        index = torch.from_numpy(several)
        had_BI = torch.where(open_BK.any(1, keepdim=True), barred_BI, for_good_BI)[index]
        part = Reading(reading.log_prob_BI[index], had_BI)
        target_B[several] = best_members(part, members_BK[several], feasibility).members_P
    return target_B


def below_floor(reading: Reading, floor_B: IntArray) -> Tensor:
    """Return which items are not among each row's so many most probable ones, bool [B, I].

    Args:
        reading: The objective hidden; what the user has had counts for no place.
        floor_B: How many; 0 for no floor.
    """
    below_BI = torch.zeros_like(reading.had_BI)
    rows = np.flatnonzero(floor_B)
    if len(rows):
        index = torch.from_numpy(rows)
        open_RI = reading.open_BI[index]
        size_R1 = torch.from_numpy(floor_B[rows]).clamp(max=open_RI.shape[1])[:, None]
        top_RK = open_RI.topk(int(size_R1.max()), dim=1).values
        below_BI[index] = open_RI < top_RK.gather(1, size_R1 - 1)
    return below_BI


def in_full(
    loaded: Loaded,
    rows: Sequence[Prepared],
    state: State,
    reading: Reading,
    items_B: IntArray,
    targets_B: IntArray,
) -> list[StepAnswer]:
    """Return proposals as answers."""
    led = rows[0].ask.objective is not None
    some_B = (items_B > 0) & ((targets_B > 0) | (not led))
    chosen_B = np.where(some_B, items_B, 1)
    rank_B = target_ranks(reading.log_prob_BI, state.known, chosen_B)
    acceptance_B = (
        reading.log_prob_BI.gather(1, torch.from_numpy(chosen_B)[:, None] - 1).exp()[:, 0].tolist()
    )
    words = reasons(loaded, led, chosen_B, targets_B, state.known.last(), acceptance_B, rank_B)
    text = loaded.catalogue.items.text
    answers = []
    for place, row in enumerate(rows):
        push = float(state.push_B[place]) if led else 0.0
        if not some_B[place]:
            members_had = bool(reading.had_BI[place, torch.from_numpy(row.members) - 1].all())
            target = int(targets_B[place])
            note = nothing_note(row, led and not target, members_had)
            answers.append(
                StepAnswer(None, text(target) if target else None, aggressiveness=push, note=note)
            )
            continue
        item = int(items_B[place])
        answers.append(
            StepAnswer(
                item=text(item),
                target=text(int(targets_B[place])) if led else None,
                is_objective=item in row.members,
                acceptance=acceptance_B[place],
                rank=int(rank_B[place]),
                aggressiveness=push,
                reason=words[place],
            )
        )
    return answers


def nothing_note(row: Prepared, gone: bool, had: bool) -> str:
    """Return why there is nothing to show, in words."""
    if gone:
        return HAD if had else GONE
    floor = row.ask.limits.floor
    if floor:
        return f"none of the user's {floor} most probable items may be shown"
    return "no item is left that may be shown"
