"""Which item of an objective each user is led to, and how feasible that is.

    pairs = aim(irn, Objective.category("Drama"), split.train, feasibility)
    paths = plan(planner, pairs, split.train)

An objective with several members leads each user to the member that this user can reach best.  As
users answer, that may be another one: ``Aim.choose`` says which, from what is known by then.

Shape suffixes: P pairs or users, B users read at once, K members, I catalogue items.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError, DataError
from influpath.planning.algorithm import Histories, known_items
from influpath.planning.base import State
from influpath.planning.feasibility import MINIMUM, Feasibility
from influpath.planning.feasibility_features import Reading, rows_at_once
from influpath.planning.objectives import Objective
from influpath.recommenders.base import Recommender

logger = logging.getLogger("influpath")

FloatArray = npt.NDArray[np.float64]

# Why an objective is not reachable.
HAD = "the user has had every item of the objective"


class Choice(NamedTuple):
    """The member that each user can reach best.

    Attributes:
        members_P: Item numbers; 0 where the user has had every member.
        feasibility_P: The member's feasibility, 0 where there is none, NaN where nothing says how
            feasible it is.
    """

    members_P: IntArray
    feasibility_P: FloatArray


@dataclass(frozen=True, eq=False)
class Aim:
    """An objective of some users at work, while they answer.

    Attributes:
        model: The planner's model.
        members: Item numbers of the model that fulfil the objective.
        feasibility: Calibrated for the model; None takes the member that the model finds most
            probable, and says nothing of feasibility.
    """

    model: Recommender
    members: IntArray
    feasibility: Feasibility | None = None

    def choose(self, state: State) -> Choice:
        """Return each row's best member now: neither known, nor shown, nor rejected."""
        members_PK = np.broadcast_to(self.members, (len(state), len(self.members)))
        return choose_among(
            self.model, state.known, state.users_B, members_PK, self.feasibility, state.barred_BI
        )

    def objectives(self, state: State) -> IntArray:
        """Return what to retarget a state to; a row that has no member left keeps its objective."""
        chosen = self.choose(state).members_P
        return np.where(chosen > 0, chosen, state.objectives_B)


def best_members(reading: Reading, members_BK: IntArray, feasibility: Feasibility | None) -> Choice:
    """Return the best of each row's members among those that the user has not had.

    Args:
        reading: Of the users.
        members_BK: Item numbers.
        feasibility: As in ``Aim``.
    """
    column_BK = torch.from_numpy(np.array(members_BK)) - 1
    if feasibility is None:
        score_BK = reading.open_BI.gather(1, column_BK)
    else:
        score_BK = feasibility.of(reading, column_BK)
    best_B, place_B = score_BK.max(dim=1)
    member_B = members_BK[np.arange(len(members_BK)), place_B.numpy()]
    gone_B = reading.had_BI.gather(1, column_BK).all(dim=1).numpy()
    value_B = best_B.double().numpy() if feasibility is not None else np.full(len(best_B), np.nan)
    return Choice(np.where(gone_B, 0, member_B), np.where(gone_B, 0.0, value_B))


def aim(
    model: Recommender,
    objective: Objective,
    histories: Dataset,
    feasibility: Feasibility | None = None,
    users: Iterable[Any] | None = None,
    minimum: float = MINIMUM,
) -> pl.DataFrame:
    """Choose the member of an objective that each user can reach best.

    Args:
        model: The planner's model.
        objective: An item, a set of items or a category.
        histories: The users' histories; its catalogue names the items and categories.
        feasibility: Calibrated for the model.  Without it the member is the one that the model
            finds most probable, and nothing is said of feasibility.
        users: Outside user ids; by default everyone in ``histories``.
        minimum: An objective whose feasibility is below counts as not reachable.

    Returns:
        Frame ``pair_id, user_id, objective_id, feasibility, reachable, note``, one row per user:
        what ``plan`` takes as pairs.  ``note`` says why an objective is not reachable; where the
        user has had every member, ``objective_id`` is missing.

    Raises:
        UnknownIdError: An item, a category or a user is not there.
        DataError: The model knows none of the objective's items.
    """
    members = members_for(model, objective, histories)
    ids = list(histories.users.ids if users is None else users)
    members_PK = np.broadcast_to(members, (len(ids), len(members)))
    choice = choose_for(model, ids, members_PK, histories, feasibility)
    return aimed(pl.Series("user_id", ids), choice, model.items, minimum)


def rate_pairs(
    model: Recommender,
    pairs: pl.DataFrame,
    histories: Histories,
    feasibility: Feasibility,
    minimum: float = MINIMUM,
) -> pl.DataFrame:
    """Return pairs with how feasible each is: columns ``feasibility, reachable, note`` more.

    Args:
        model: The planner's model.
        pairs: Frame ``pair_id, user_id, objective_id``.
        histories: The users' histories.
        feasibility: Calibrated for the model.
        minimum: As in ``aim``.
    """
    members_P1 = model.items.encode(pairs["objective_id"].to_list())[:, None]
    choice = choose_for(model, pairs["user_id"].to_list(), members_P1, histories, feasibility)
    rated = aimed(pairs["user_id"], choice, model.items, minimum)
    return pairs.with_columns(rated["feasibility"], rated["reachable"], rated["note"])


def members_for(model: Recommender, objective: Objective, dataset: Dataset) -> IntArray:
    """Return the objective's members in the model's numbers.

    Raises:
        DataError: The model knows none of them.
    """
    ids = dataset.items.decode(objective.members(dataset))
    members = model.items.encode(ids, unknown="mark")
    if not (members > 0).any():
        raise DataError(
            f"the model {model.name} knows no item of the objective, {ids[0]!r} for example; "
            "train it on data that has them."
        )
    return np.unique(members[members > 0])


def choose_for(
    model: Recommender,
    user_ids: list[Any],
    members_PK: IntArray,
    histories: Histories,
    feasibility: Feasibility | None,
) -> Choice:
    """Return the best member of each user, given by outside ids."""
    if feasibility is not None:
        feasibility.check(model)
    known = known_items(user_ids, histories, model.items)
    users_P = model.users.encode(user_ids, unknown="mark")
    return choose_among(model, known, users_P, members_PK, feasibility)


def choose_among(
    model: Recommender,
    known: Sequences,
    users_P: IntArray,
    members_PK: IntArray,
    feasibility: Feasibility | None,
    barred_PI: Tensor | None = None,
) -> Choice:
    """Read users, as many at once as memory bears, and choose among their members.

    Args:
        model: The planner's model.
        known: The user's items so far.
        users_P: User rows of the model, -1 where unknown.
        members_PK: Item numbers.
        feasibility: As in ``Aim``.
        barred_PI: Items that may not be shown; those of ``known`` where not given.
    """
    size = rows_at_once(model)
    parts = []
    for start in range(0, len(known), size):
        rows = np.arange(start, min(start + size, len(known)))
        part = slice(start, start + size)
        barred_BI = None if barred_PI is None else barred_PI[part]
        with torch.inference_mode():
            reading = Reading.of(model, known.take(rows), users_P[part], barred_BI)
            parts.append(best_members(reading, members_PK[part], feasibility))
        if len(known) > size:
            logger.info("feasibility: %d of %d users", rows[-1] + 1, len(known))
    if not parts:
        return Choice(np.empty(0, np.int64), np.empty(0))
    return Choice(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def aimed(users: pl.Series, choice: Choice, items: IdMap, minimum: float) -> pl.DataFrame:
    """Return a choice as a frame; see ``aim``.

    Raises:
        ConfigError: The minimum is no probability.
    """
    if not 0 <= minimum <= 1:
        raise ConfigError(f"the least feasibility is {minimum}; it is a probability, from 0 to 1.")
    gone_P = choice.members_P == 0
    # Nothing was said of it: NaN is not below anything.
    hopeless_P = ~gone_P & (choice.feasibility_P < minimum)
    note = np.where(gone_P, HAD, "")
    note = np.where(hopeless_P, hopeless(minimum), note)
    ids = items.series("objective_id", np.where(gone_P, items.first, choice.members_P))
    return pl.DataFrame(
        {
            "pair_id": np.arange(len(users), dtype=np.int64),
            "user_id": users,
            "objective_id": ids,
            "feasibility": pl.Series(choice.feasibility_P).fill_nan(None),
            "reachable": ~(gone_P | hopeless_P),
            "note": note.astype(str),
        }
    ).with_columns(
        objective_id=pl.when(pl.Series(~gone_P)).then(pl.col("objective_id")),
        note=pl.col("note").replace("", None),
    )


def hopeless(minimum: float) -> str:
    """Return why a journey below the least feasibility is not begun."""
    return f"feasibility below {minimum:g}"
