"""Who can be led to an objective, by the histories that the bundle has.

Shape suffix: P users.
"""

import numpy as np

from influpath.errors import ConfigError
from influpath.planning.aims import Choice, choose_for
from influpath.planning.feasibility import MINIMUM
from influpath.planning.objectives import Objective
from influpath.serving.engine.asks import AudienceAnswer, AudienceAsk, Member
from influpath.serving.engine.loaded import Loaded

# Objectives whose audience is remembered.
REMEMBERED = 32


def answer_audience(loaded: Loaded, ask: AudienceAsk) -> AudienceAnswer:
    """Rank all users by how feasible it is to lead them to an objective.

    Raises:
        UnknownIdError: An item or the category is not in the catalogue.
        ConfigError: Nothing says how feasible it is, or the minimum is no probability.
    """
    minimum = MINIMUM if ask.minimum is None else ask.minimum
    if not 0 <= minimum <= 1:
        raise ConfigError(f"the least feasibility is {minimum}; it is a probability, from 0 to 1.")
    choice = choices(loaded, ask.objective)
    reachable_P = (choice.members_P > 0) & (choice.feasibility_P >= minimum)
    order_P = np.argsort(-choice.feasibility_P, kind="stable")
    first = order_P[reachable_P[order_P]][: max(0, ask.top)]
    items, users = loaded.catalogue.items, loaded.catalogue.users
    members = tuple(
        Member(
            user=users.text(int(row)),
            target=items.text(int(choice.members_P[row])),
            feasibility=float(choice.feasibility_P[row]),
        )
        for row in first
    )
    return AudienceAnswer(members, int(reachable_P.sum()), len(reachable_P))


def choices(loaded: Loaded, objective: Objective) -> Choice:
    """Return the member that each user can reach best; read once for each objective."""
    found = loaded.audiences.get(objective)
    if found is None:
        bundle = loaded.bundle
        if bundle.feasibility is None:
            raise ConfigError(
                f"bundle {loaded.version}: has no feasibility, so that nobody can be ranked; "
                "publish it with one."
            )
        members = loaded.catalogue.member_numbers(objective)
        ids = bundle.dataset.users.ids
        members_PK = np.broadcast_to(members, (len(ids), len(members)))
        found = choose_for(bundle.model, ids, members_PK, bundle.dataset, bundle.feasibility)
        if len(loaded.audiences) >= REMEMBERED:
            loaded.audiences.clear()
        loaded.audiences[objective] = found
    return found
