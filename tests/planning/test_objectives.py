"""Objectives of three kinds: how they are said, and which items fulfil them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data import load_dataset
from influpath.errors import ConfigError, UnknownIdError
from influpath.planning.objectives import Objective

WORLD = load_dataset("simulated", users=40, items=30, shortest=8, longest=12)
IDS = st.one_of(st.integers(), st.text())
OBJECTIVES = st.one_of(
    IDS.map(Objective.item),
    st.lists(IDS, min_size=1, max_size=5).map(Objective.of_items),
    st.text(min_size=1).map(Objective.category),
)


@settings(deadline=None)
@given(OBJECTIVES)
def test_json_reads_back_equal(objective: Objective) -> None:
    document = json.loads(json.dumps(objective.to_dict()))
    assert Objective.parse(document, "request") == objective
    assert document["kind"] == objective.kind


def test_the_json_forms() -> None:
    assert Objective.item(np.int64(42)).to_dict() == {"kind": "item", "id": 42}
    assert Objective.of_items(["a", 2]).to_dict() == {"kind": "set", "ids": ["a", 2]}
    assert Objective.category("Drama").to_dict() == {"kind": "category", "name": "Drama"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "item"}, "kind 'item' takes 'id'; it was given nothing"),
        ({"kind": "item", "name": "Drama"}, "takes 'id'; it was given 'name'"),
        ({"kind": "set", "ids": []}, "ids"),
        ({"kind": "item", "id": 1, "ids": [2]}, "it was given 'id' and 'ids'"),
        ({"kind": "mood", "name": "sad"}, "kind"),
        ({"kind": "item", "id": 1.5}, "id"),
    ],
)
def test_a_wrong_form_is_told(document: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Objective.parse(document, "request")


def test_members() -> None:
    first, second = WORLD.items.ids[:2]
    assert Objective.item(second).members(WORLD).tolist() == [2]
    assert Objective.of_items([second, first, second]).members(WORLD).tolist() == [1, 2]
    genre = WORLD.genres(first)[0]
    drawn = WORLD.items.decode(Objective.category(genre).members(WORLD))
    assert drawn == [item for item in WORLD.items.ids if genre in WORLD.genres(item)]


def test_unknown_items_and_categories_are_told() -> None:
    with pytest.raises(UnknownIdError, match="item id 'i00' is not in the data; did you mean"):
        Objective.of_items([WORLD.items.ids[0], "i00"]).members(WORLD)
    with pytest.raises(UnknownIdError, match="did you mean"):
        Objective.category(WORLD.genres(WORLD.items.ids[0])[0][:-1]).members(WORLD)


def test_words() -> None:
    titles = [WORLD.title(item) for item in WORLD.items.ids[:5]]
    assert Objective.item(WORLD.items.ids[0]).words(WORLD) == titles[0]
    assert Objective.of_items(WORLD.items.ids[:5]).words(WORLD).endswith(" or 2 more")
    assert Objective.category("Drama").words(WORLD) == "category Drama"
