"""What was answered of a path before, as the judge sees it: the beginning of a path as it is shown.

Shape suffixes: Q answered moments, I catalogue items.
"""

import numpy as np
import torch

from influpath.data.sequences import Sequences
from influpath.recommenders.ranking import target_ranks
from influpath.serving.engine.asks import PathAsk, PathStep
from influpath.serving.engine.loaded import Loaded
from influpath.serving.engine.replay import numbers

TAKEN = ("accepted", "organic")


def answered_steps(loaded: Loaded, ask: PathAsk, target: int) -> tuple[PathStep, ...]:
    """Return the moments of a path as steps, each judged by what had been taken before it.

    Args:
        loaded: The bundle.
        ask: Has the moments; what was taken unasked is read, and is no step.
        target: The member of the objective whose probability is said.
    """
    items, members = loaded.catalogue.items, loaded.catalogue.member_numbers(ask.objective)
    had, at, shown = loaded.history(ask.person).tolist(), [], []
    number = 1
    histories: list[list[int]] = []
    for moment in ask.moments:
        if moment.answer != "organic":
            shown.append(moment)
            at.append(number)
            histories.append(list(had))
            number += moment.answer == "accepted"
        if moment.answer in TAKEN and moment.item in items:
            had.append(items.number(moment.item))
    if not shown:
        return ()
    item_Q = items.numbers([moment.item for moment in shown])
    histories_Q = Sequences.from_rows([numbers(each) for each in histories])
    judge = loaded.bundle.judge
    with torch.inference_mode():
        users_Q = np.full(len(shown), loaded.user_row(ask.person, judge))
        log_probs_QI = judge.log_probs(histories_Q, users_Q)
    rank_Q = target_ranks(log_probs_QI, histories_Q, item_Q)
    place_Q = np.arange(len(shown))
    probability_QI = log_probs_QI.double().exp().numpy()
    return tuple(
        PathStep(
            number=at[place],
            item=moment.item,
            is_objective=bool(item_Q[place] in members),
            acceptance=float(probability_QI[place, item_Q[place] - 1]),
            rank=int(rank_Q[place]),
            objective_probability=float(probability_QI[place, target - 1]),
            reason=f"{moment.answer} before",
            answer=moment.answer,
        )
        for place, moment in zip(place_Q.tolist(), shown, strict=True)
    )
