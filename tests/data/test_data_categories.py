"""Categories of a catalogue, and what somebody may have meant by an unknown name."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data import Dataset
from influpath.data.categories import Categories
from influpath.data.near_matches import near_matches
from influpath.errors import UnknownIdError

NAMES = ["Drama", "War", "film noir", "Sci-Fi"]
GENRES = st.lists(st.one_of(st.none(), st.lists(st.sampled_from(NAMES), max_size=3)), max_size=12)


def catalogue(genres: list[list[str] | None]) -> pl.DataFrame:
    column = pl.Series("genres", genres, dtype=pl.List(pl.String))
    return pl.DataFrame({"item_id": range(len(genres)), "title": None, "genres": column})


@settings(deadline=None)
@given(GENRES)
def test_members_are_the_items_that_name_the_category(genres: list[list[str] | None]) -> None:
    categories = Categories.of(catalogue(genres))
    for name in NAMES:
        wanted = [n for n, own in enumerate(genres, start=1) if own is not None and name in own]
        if wanted:
            assert categories.members(name).tolist() == wanted
            assert categories.members(f" {name.upper()} ").tolist() == wanted
        else:
            with pytest.raises(UnknownIdError):
                categories.members(name)
    assert categories.vectors().sum() == sum(len(set(own)) for own in genres if own is not None)


def test_the_exact_name_goes_before_others_of_another_case() -> None:
    categories = Categories.of(catalogue([["Rock"], ["rock"], ["pop"]]))
    assert categories.members("rock").tolist() == [2]
    assert categories.members("ROCK").tolist() == [1, 2]


def test_an_unknown_category_is_told_with_those_like_it() -> None:
    categories = Categories.of(catalogue([["Drama"], ["War"]]))
    with pytest.raises(UnknownIdError, match=r"'Drma' is not in the data; did you mean 'Drama'\?"):
        categories.members("Drma")
    with pytest.raises(UnknownIdError, match="there are 2, 'Drama', 'War' for example"):
        categories.members("xyz")
    with pytest.raises(UnknownIdError, match="no genres or tags"):
        Categories.of(catalogue([None])).members("Drama")


def test_items_are_found_by_id_and_told_by_title(tiny: Dataset) -> None:
    titles = [f"Story {n} (19{60 + n})" for n in range(len(tiny.items))]
    titled = replace(tiny, catalogue=tiny.catalogue.with_columns(title=pl.Series(titles)))
    assert titled.find_item(tiny.items.ids[3]) == tiny.items.ids[3]
    with pytest.raises(UnknownIdError, match=rf"{tiny.items.ids[3]!r} \(Story 3 \(1963\)\)"):
        titled.find_item("story 3")
    with pytest.raises(UnknownIdError, match="did you mean"):
        tiny.find_item(f"{tiny.items.ids[3]}x")


@settings(deadline=None)
@given(st.integers(), st.booleans())
def test_numbers_and_text_stand_for_each_other(number: int, as_text: bool) -> None:
    from influpath.data import IdMap

    own, other = (str(number), number) if as_text else (number, str(number))
    ids = IdMap([own, "something"], 1, "item")
    assert ids.find(own) == ids.find(other) == own


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), max_size=8, unique=True), st.text())
def test_near_matches_are_among_the_names(names: list[str], text: str) -> None:
    found = near_matches(text, names)
    assert set(found) <= set(names)
    assert len(found) == len(set(found)) <= 3
    for name in np.unique(names):
        if text and text.casefold() == name.casefold():
            assert found[0].casefold() == name.casefold()
