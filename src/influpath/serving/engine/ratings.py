"""How feasible objectives are for people.

Shape suffixes: B people, P asks.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from influpath.data.sequences import Sequences
from influpath.planning.aims import HAD, Choice, best_members, hopeless
from influpath.planning.feasibility_features import Reading, rows_at_once
from influpath.planning.objectives import Objective
from influpath.serving.engine.asks import Person, RateAsk, Rating
from influpath.serving.engine.loaded import Loaded


def rate(loaded: Loaded, asks: Sequence[RateAsk]) -> list[Rating]:
    """Return how feasible each objective is; everybody is read once.

    Raises:
        UnknownIdError: An item or a category is not in the catalogue.
    """
    people = list(rows_of(ask.person for ask in asks))
    size = rows_at_once(loaded.bundle.model)
    found: dict[RateAsk, Rating] = {}
    for start in range(0, len(people), size):
        part = rows_of(people[start : start + size])
        wanted = [ask for ask in asks if ask.person in part]
        found |= rate_people(loaded, read_people(loaded, part), part, wanted)
    return [found[ask] for ask in asks]


def rows_of(people: Iterable[Person]) -> dict[Person, int]:
    """Return the row of each person, everybody once."""
    return {person: row for row, person in enumerate(dict.fromkeys(people))}


def read_people(loaded: Loaded, people: Iterable[Person]) -> Reading:
    """Read histories with the planner's model, one row each."""
    model = loaded.bundle.model
    known = Sequences.from_rows([loaded.history(person) for person in people])
    users_B = np.array([loaded.user_row(person, model) for person in people])
    with torch.inference_mode():
        return Reading.of(model, known, users_B)


def rate_people(
    loaded: Loaded, reading: Reading, people: dict[Person, int], asks: Sequence[RateAsk]
) -> dict[RateAsk, Rating]:
    """Return how feasible objectives are for people who were read together.

    Args:
        loaded: The bundle.
        reading: Of these people.
        people: Their rows.
        asks: About them.
    """
    feasibility = loaded.bundle.feasibility
    by_objective: defaultdict[Objective, list[RateAsk]] = defaultdict(list)
    for ask in asks:
        by_objective[ask.objective].append(ask)
    members = {each: loaded.catalogue.member_numbers(each) for each in by_objective}
    ratings: dict[RateAsk, Rating] = {}
    with torch.inference_mode():
        for objective, those in by_objective.items():
            rows_P = np.array([people[ask.person] for ask in those])
            index = torch.from_numpy(rows_P)
            part = Reading(reading.log_prob_BI[index], reading.had_BI[index])
            own = members[objective]
            members_PK = np.broadcast_to(own, (len(those), len(own)))
            choice = best_members(part, members_PK, feasibility)
            ratings |= {ask: rated(loaded, ask, choice, row) for row, ask in enumerate(those)}
    return ratings


def rated(loaded: Loaded, ask: RateAsk, choice: Choice, row: int) -> Rating:
    """Return one row of a choice as a rating."""
    member, feasibility = int(choice.members_P[row]), float(choice.feasibility_P[row])
    if not member:
        return Rating(None, None if loaded.bundle.feasibility is None else 0.0, False, HAD)
    target = loaded.catalogue.items.text(member)
    if np.isnan(feasibility):
        return Rating(target, None, True)
    reachable = feasibility >= ask.minimum
    return Rating(target, feasibility, reachable, None if reachable else hopeless(ask.minimum))
