"""A bundle of tiny models, and asks about it."""

from dataclasses import replace
from typing import Any

import polars as pl
from hypothesis import strategies as st

from influpath.data.dataset import Dataset
from influpath.irn.model import IRN
from influpath.planning.objectives import Objective
from influpath.recommenders.base import Recommender
from influpath.serving.bundles.bundle import Bundle
from influpath.serving.engine.asks import Limits, Moment, Person, StepAsk
from influpath.testing import tiny_dataset, tiny_feasibility

GENRES = [
    ["Drama"] if n % 3 == 0 else ["Drama", "War"] if n % 3 == 1 else ["Comedy"] for n in range(24)
]
DIALS: dict[str, Any] = {"guidance": 3.0, "pace": 2, "floor": 14}
AHEAD: dict[str, Any] = {"guidance": {"start": 2.0, "end": 0.0}, "floor": 12, "lookahead": 1.0}
VERSION, AHEAD_VERSION = "default/v1", "default/ahead"
HORIZON = 6

PLAIN = tiny_dataset()
TINY: Dataset = replace(PLAIN, catalogue=PLAIN.catalogue.with_columns(genres=pl.Series(GENRES)))
ITEMS = [str(item) for item in TINY.items.ids]
USERS = [str(user) for user in TINY.users.ids]


def tiny_bundle(
    irn: IRN, plain: Recommender, judge: Recommender, dials: dict[str, Any] | None = None
) -> Bundle:
    """Return a bundle in memory."""
    chosen = DIALS if dials is None else dials
    # It follows what the model finds probable.
    feasibility = tiny_feasibility(
        irn, TINY, {"log_prob": 2.0, "log_rank": -1.0}, intercept=4.0, max_length=HORIZON
    )
    return Bundle("irn", irn, plain, judge, TINY, feasibility, {"irn": chosen})


# Strategies ---------------------------------------------------------------------------------------

item_ids = st.sampled_from(ITEMS)
categories = st.sampled_from(["Drama", "War", "Comedy"])
objectives = st.one_of(
    item_ids.map(Objective.item),
    st.lists(item_ids, min_size=2, max_size=4, unique=True).map(Objective.of_items),
    categories.map(Objective.category),
)
people = st.builds(
    Person,
    user=st.sampled_from([None, "nobody knows", *USERS[:10]]),
    known=st.booleans(),
    since=st.lists(item_ids, max_size=3).map(tuple),
)
limits = st.builds(
    Limits,
    excluded_items=st.frozensets(item_ids, max_size=6),
    excluded_categories=st.frozensets(categories, max_size=1),
    floor=st.sampled_from([0, 3, 10, 100]),
)


@st.composite
def moments(draw: st.DrawFn, most: int = HORIZON - 1) -> tuple[Moment, ...]:
    """Return what may happen on a journey that is not over."""
    answers = draw(
        st.lists(st.sampled_from(["accepted", "rejected", "ignored", "organic"]), max_size=9)
    )
    result, shown = [], 0
    for answer in answers:
        shown += answer != "organic"
        if shown <= most:
            result.append(Moment(draw(item_ids), answer))  # type: ignore[arg-type]
    return tuple(result)


def asks(version: str = VERSION) -> st.SearchStrategy[StepAsk]:
    """Return asks for the next item of a journey."""
    return st.builds(
        StepAsk,
        version=st.just(version),
        person=people,
        moments=moments(),
        objective=st.one_of(st.none(), objectives),
        horizon=st.just(HORIZON),
        aggressiveness=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        adapts=st.booleans(),
        most=st.just(2.0),
        limits=limits,
    )
