"""A whole path as the page shows it: items, the judge's probabilities, figures and reasons.

The path that was asked for and those at other values of aggressiveness are rows of one session.

Shape suffixes: B rows (the path asked for comes first), I catalogue items, N path items, Q moments
(a path of L items has L + 1).
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch

from influpath.data.sequences import IntArray, Sequences
from influpath.errors import UnknownIdError
from influpath.evaluation.judging import FloatArray, Judgement, judge_rows
from influpath.evaluation.metrics import METRICS
from influpath.evaluation.pairs import PairNumbers
from influpath.planning.base import PlanBatch, Planner, seen_items
from influpath.planning.feasibility_features import Reading
from influpath.planning.paths import Paths
from influpath.planning.reasons import explain
from influpath.planning.responses import Response
from influpath.planning.session import Session
from influpath.serving.engine.answered import answered_steps
from influpath.serving.engine.asks import (
    PathAnswer,
    PathAsk,
    PathFigures,
    PathStep,
    RateAsk,
    Rating,
)
from influpath.serving.engine.loaded import Loaded
from influpath.serving.engine.ratings import rate
from influpath.serving.engine.replay import in_slots, replay
from influpath.serving.engine.steps import GONE, aim, below_floor


@dataclass(frozen=True, eq=False)
class Planned:
    """Paths in numbers.

    Attributes:
        known: What the person had before, the same for each row.
        target: The member that was aimed at.
        paths: What is shown, one row for each value of aggressiveness.
    """

    known: IntArray
    target: int
    paths: list[list[int]] = field(default_factory=list)


def answer_path(loaded: Loaded, ask: PathAsk) -> PathAnswer:
    """Plan and judge.

    Raises:
        UnknownIdError: An item, a category or the planner is not in the bundle.
        ConfigError: The planner cannot plan that far.
    """
    planner = loaded.bundle.planners.get(ask.planner)
    if planner is None:
        raise UnknownIdError(
            f"planner {ask.planner!r} is not in the bundle {ask.version}; it has "
            f"{', '.join(loaded.bundle.planners)}."
        )
    (rating,) = rate(loaded, [RateAsk(ask.version, ask.person, ask.objective, ask.minimum)])
    if not rating.reachable:
        return nothing(loaded, ask, rating)
    pushes = (ask.aggressiveness, *ask.frontier)
    planned = plan_paths(loaded, ask, planner, np.array(pushes))
    if not planned.target:
        return nothing(loaded, ask, Rating(None, rating.feasibility, False, GONE))
    members = loaded.catalogue.member_numbers(ask.objective)
    judgement = judge(loaded, ask, planned, members)
    first, *others = (figures(judgement, row, push) for row, push in enumerate(pushes))
    return PathAnswer(
        target=loaded.catalogue.items.text(ends(planned, members)[0]),
        steps=steps(loaded, ask, planner, planned, judgement, members),
        figures=first,
        end_probability=float(np.exp(judgement.objective_log_probs[judgement.influenced[0]])),
        rating=rating,
        planner=ask.planner,
        judge=loaded.bundle.judge.name,
        frontier=tuple(others),
        before=answered_steps(loaded, ask, ends(planned, members)[0]),
    )


def nothing(loaded: Loaded, ask: PathAsk, rating: Rating) -> PathAnswer:
    """Return the answer where there is no way."""
    figures = PathFigures(ask.aggressiveness, None, None, None, False, False, 0)
    target = loaded.catalogue.member_numbers(ask.objective)[0]
    if rating.target is not None:
        target = loaded.catalogue.items.number(rating.target)
    return PathAnswer(
        target=rating.target,
        steps=(),
        figures=figures,
        end_probability=None,
        rating=rating,
        planner=ask.planner,
        judge=loaded.bundle.judge.name,
        before=answered_steps(loaded, ask, int(target)),
    )


def plan_paths(loaded: Loaded, ask: PathAsk, planner: Planner, push_B: FloatArray) -> Planned:
    """Plan one path for each value of aggressiveness, all of which goes on from the moments.

    Args:
        loaded: The bundle.
        ask: What is wanted; everything that is shown counts as accepted.
        planner: Of the bundle.
        push_B: Aggressiveness.
    """
    bundle = loaded.bundle
    rows, items = len(push_B), len(planner.items)
    members = loaded.catalogue.member_numbers(ask.objective)
    own = loaded.history(ask.person)
    users = [-1] * rows
    # A planner without a model knows no users, and its limits are those of the bundle's model.
    model = getattr(planner, "model", bundle.model)
    if planner.users is not None:
        users = [loaded.user_row(ask.person, model)] * rows
    happened = in_slots(ask.moments, loaded.catalogue.items)
    excluded_BI = loaded.excluded(ask.limits).expand(rows, -1)
    floor_B = np.full(rows, ask.limits.floor)
    with torch.inference_mode():
        session = Session(
            planner,
            PlanBatch(
                users_B=np.array(users),
                histories=Sequences.from_rows([own] * rows),
                objectives_B=np.full(rows, members[0]),
                max_length=ask.horizon,
                items=items,
            ),
        )
        replay(session, [happened] * rows)
        state = session.state
        state.push_B = push_B
        known = state.known.row(0)
        aimed_B = np.full(rows, loaded.user_row(ask.person, bundle.model))
        reading = Reading(
            bundle.model.log_probs(state.known, aimed_B), seen_items(state.known, items)
        )
        members_BK = np.tile(members, (rows, 1))
        target = int(aim(state, reading, members_BK, excluded_BI, bundle.feasibility)[0])
        planned = Planned(known, target, [[] for _ in range(rows)])
        if not target:
            return planned
        session.retarget(np.full(rows, target))
        left = np.arange(rows)
        while session.slots_left > 0 and len(left):
            open_BI = state.barred_BI
            below_BI = torch.zeros_like(open_BI)
            if ask.limits.floor:
                read = bundle.model.log_probs(state.known, aimed_B[: len(left)])
                below_BI = below_floor(
                    Reading(read, seen_items(state.known, items)), floor_B[: len(left)]
                )
            state.barred_BI = open_BI | excluded_BI[: len(left)] | below_BI
            items_B = session.propose().items_B
            # Laid anew before every step: floors move, and what rested comes back.
            state.barred_BI = open_BI
            some = np.flatnonzero(items_B)
            session.keep(some)
            left, items_B = left[some], items_B[some]
            for row, item in zip(left.tolist(), items_B.tolist(), strict=True):
                planned.paths[row].append(item)
            session.respond(items_B, np.full(len(left), Response.ACCEPTED, dtype=np.int8))
            going = np.flatnonzero(~np.isin(items_B, members))
            session.keep(going)
            left = left[going]
    return planned


def ends(planned: Planned, members: IntArray) -> list[int]:
    """Return where each path leads: the member that it ends with, or else the one aimed at."""
    return [path[-1] if path and path[-1] in members else planned.target for path in planned.paths]


def judge(loaded: Loaded, ask: PathAsk, planned: Planned, members: IntArray) -> Judgement:
    """Let the bundle's judge read the paths."""
    judge, rows = loaded.bundle.judge, len(planned.paths)
    objectives = np.array(ends(planned, members))
    paths = Sequences.from_rows(planned.paths)
    reached = paths.last() == objectives
    with torch.inference_mode():
        (judgement,) = judge_rows(
            judge,
            PairNumbers(np.arange(rows), np.zeros(rows, dtype=np.int64), objectives),
            Sequences.from_rows([planned.known] * rows),
            paths,
            reached,
            np.full(rows, loaded.user_row(ask.person, judge)),
        )
    return judgement


def figures(judgement: Judgement, row: int, push: float) -> PathFigures:
    """Return what one path comes to."""
    length = int(judgement.lengths[row])

    def value(metric: str) -> float | None:
        return float(METRICS[metric].function(judgement)[row]) if length else None

    return PathFigures(
        aggressiveness=push,
        increase_of_interest=value("ioi"),
        log_perplexity=value("log_ppl"),
        worst_step=value("worst_step"),
        reached=bool(judgement.reached[row]),
        accepted=bool(value("accepted_sr@20")),
        length=length,
    )


def steps(
    loaded: Loaded,
    ask: PathAsk,
    planner: Planner,
    planned: Planned,
    judgement: Judgement,
    members: IntArray,
) -> tuple[PathStep, ...]:
    """Return the items of the path that was asked for."""
    path = planned.paths[0]
    if not path:
        return ()
    before = sum(moment.answer == "accepted" for moment in ask.moments)
    text = loaded.catalogue.items.text
    reasons = why(loaded, ask, planner, planned, ends(planned, members)[0])
    return tuple(
        PathStep(
            number=before + place + 1,
            item=text(item),
            is_objective=item in members,
            acceptance=float(np.exp(judgement.item_log_probs[place])),
            rank=int(judgement.item_ranks[place]),
            objective_probability=float(np.exp(judgement.objective_log_probs[place])),
            reason=reasons[place],
        )
        for place, item in enumerate(path)
    )


def why(loaded: Loaded, ask: PathAsk, planner: Planner, planned: Planned, end: int) -> list[str]:
    """Return why each item of the path that was asked for is there, by the planner's model."""
    model, items = getattr(planner, "model", loaded.bundle.model), loaded.bundle.dataset.items
    person, users = ask.person, loaded.catalogue.users
    user = None
    if person.user is not None and person.known and person.user in users:
        user = users.own(person.user)
    path = planned.paths[0]
    pairs = pl.DataFrame(
        {"pair_id": [0], "user_id": [user], "objective_id": items.decode(np.array([end]))}
    )
    shown = pl.DataFrame(
        {
            "pair_id": np.zeros(len(path), dtype=np.int64),
            "step": np.arange(1, len(path) + 1),
            "item_id": items.series("item_id", np.array(path)),
            "score": np.zeros(len(path), dtype=np.float32),
        }
    )
    known = {user: items.decode(planned.known)}
    described = explain(model, pairs, Paths.from_steps(shown, pairs), known, loaded.bundle.dataset)
    reasons: list[str] = described["reason"].to_list()
    return reasons
