"""Journeys that begin: everybody is read once, both for ratings and for the first item."""

from collections import defaultdict
from collections.abc import Sequence

from influpath.planning.feasibility_features import rows_at_once
from influpath.serving.engine.asks import StepAnswer
from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk
from influpath.serving.engine.loaded import Loaded
from influpath.serving.engine.ratings import rate_people, read_people, rows_of
from influpath.serving.engine.steps import Known, answer_group, group_of


def begin(loaded: Loaded, asks: Sequence[BeginAsk]) -> list[BeginAnswer]:
    """Return what begins; as rating, and then stepping where it is most feasible.

    Raises:
        UnknownIdError: An item or a category is not in the catalogue.
    """
    size = rows_at_once(loaded.bundle.model)
    parts = (asks[start : start + size] for start in range(0, len(asks), size))
    return [answer for part in parts for answer in begin_together(loaded, part)]


def begin_together(loaded: Loaded, asks: Sequence[BeginAsk]) -> list[BeginAnswer]:
    """Return what begins, for people who are read at once."""
    people = rows_of(ask.person for ask in asks)
    reading = read_people(loaded, people)
    found = rate_people(
        loaded, reading, people, [each.rating for ask in asks for each in ask.candidates]
    )
    ratings = [tuple(found[each.rating] for each in ask.candidates) for ask in asks]
    chosen = [ask.chosen(own) for ask, own in zip(asks, ratings, strict=True)]
    first = {
        place: ask.candidates[best].ask
        for place, (ask, best) in enumerate(zip(asks, chosen, strict=True))
        if best is not None
    }
    # Whatever may begin has a target.
    targets = {
        place: loaded.catalogue.items.number(str(ratings[place][best].target))
        for place, best in enumerate(chosen)
        if best is not None
    }
    groups: defaultdict[tuple[str, bool, int, int], list[int]] = defaultdict(list)
    for place, ask in first.items():
        groups[group_of(ask)].append(place)
    steps: dict[int, StepAnswer] = {}
    for places in groups.values():
        known = [
            Known(reading.log_prob_BI[people[first[place].person]], targets[place])
            for place in places
        ]
        answers = answer_group(loaded, [first[place] for place in places], known)
        steps |= {
            place: answer
            for place, answer in zip(places, answers, strict=True)
            if isinstance(answer, StepAnswer)
        }
    return [
        BeginAnswer(own, best, steps.get(place))
        for place, (own, best) in enumerate(zip(ratings, chosen, strict=True))
    ]
