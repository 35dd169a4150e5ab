"""Repeats, the frequency filter, ties, presets and the report."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data import PRESETS, Dataset, InteractionLog, Preparation, prepare, preset
from influpath.data.preparation import frequent
from influpath.errors import ConfigError, DataError

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=60)


def make_log(rows: Any, catalogue: Any = None, **fields: Any) -> Any:
    """``rows``: (user, item, time)."""
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    if catalogue is None:
        catalogue = pl.DataFrame(
            schema={
                "item_id": events["item_id"].dtype,
                "title": pl.String,
                "genres": pl.List(pl.String),
            }
        )
    return InteractionLog(name="toy", events=events, catalogue=catalogue, **fields)


def histories(dataset: Dataset) -> Any:
    return {
        user: dataset.items.decode(dataset.sequences.row(r))
        for r, user in enumerate(dataset.users.ids)
    }


def naive_filter(pairs: Any, minimum: int, drop_top: Any) -> Any:
    left = list(enumerate(pairs))
    while True:
        before = len(left)
        for side in (1, 0):
            counts = Counter(pair[side] for _, pair in left)
            if not counts or min(counts.values()) >= minimum:
                continue
            top = max(counts.values())
            left = [
                (n, pair)
                for n, pair in left
                if counts[pair[side]] >= minimum and not (drop_top and counts[pair[side]] == top)
            ]
        if len(left) == before:
            return [n for n, _ in left]


@settings(deadline=None, max_examples=150)
@given(PAIRS, st.integers(0, 4), st.booleans())
def test_filter_equals_the_naive_one(pairs: Any, minimum: int, drop_top: Any) -> None:
    user = np.array([u for u, _ in pairs], dtype=np.int64)
    item = np.array([i for _, i in pairs], dtype=np.int64)
    kept = frequent(user, item, minimum, drop_top)
    assert np.flatnonzero(kept).tolist() == naive_filter(pairs, minimum, drop_top)


@settings(deadline=None, max_examples=100)
@given(PAIRS, st.integers(1, 4))
def test_core_is_a_fixpoint_and_the_largest(pairs: Any, minimum: int) -> None:
    user = np.array([u for u, _ in pairs], dtype=np.int64)
    item = np.array([i for _, i in pairs], dtype=np.int64)
    kept = frequent(user, item, minimum)
    for codes in (user[kept], item[kept]):
        assert all(count >= minimum for count in Counter(codes.tolist()).values())
    # The k-core does not depend on the order of the passes.
    assert kept.tolist() == frequent(item, user, minimum).tolist()
    assert frequent(user[kept], item[kept], minimum).all()


ROWS = [
    ("u", "a", 3), ("u", "b", 1), ("u", "b", 2), ("u", "a", 0),
    ("v", "b", 5), ("v", "b", 6), ("v", "a", 7),
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings_", "expected"),
    [
        ({"repeats": "drop"}, {"u": "ab", "v": "ba"}),
        ({"repeats": "drop", "first_by": "file"}, {"u": "ba", "v": "ba"}),
        ({"repeats": "merge"}, {"u": "aba", "v": "ba"}),
        ({"repeats": "keep"}, {"u": "abba", "v": "bba"}),
    ],
)
def test_repeat_policies(settings_: Any, expected: Any) -> None:
    dataset = prepare(make_log(ROWS), Preparation(min_count=0, **settings_))
    assert {user: "".join(items) for user, items in histories(dataset).items()} == expected
    assert dataset.preset == "custom"


def test_repeats_are_counted() -> None:
    dropped = prepare(make_log(ROWS), Preparation(min_count=0))
    assert dropped.report == {"repeated user-item pairs dropped": 3}
    merged = prepare(make_log(ROWS), Preparation(min_count=0, repeats="merge"))
    assert merged.report == {"consecutive repeats merged": 2}


def test_numbers_follow_first_appearance_in_the_log() -> None:
    dataset = prepare(make_log(ROWS), Preparation(min_count=0))
    assert dataset.users.ids == ["u", "v"]
    assert dataset.items.ids == ["a", "b"]
    assert dataset.catalogue["item_id"].to_list() == ["a", "b"]


def test_catalogue_follows_the_items_and_may_have_gaps() -> None:
    catalogue = pl.DataFrame(
        {"item_id": ["z", "b"], "title": ["Zed", "Bee"], "genres": [["x"], ["y", "w"]]}
    )
    dataset = prepare(make_log(ROWS, catalogue), Preparation(min_count=0))
    assert dataset.title("b") == "Bee"
    assert dataset.title("a") == "a"
    assert dataset.genres("b") == ["y", "w"]
    assert dataset.genres("a") == []


def test_ties_keep_file_order_or_are_shuffled_with_a_seed() -> None:
    rows = [("u", item, item // 10) for item in range(40)]
    log = make_log(rows)
    in_file = prepare(log, Preparation(min_count=0))
    assert histories(in_file)["u"] == list(range(40))
    shuffled = [
        histories(prepare(log, Preparation(min_count=0, ties="shuffle", seed=seed)))["u"]
        for seed in (1, 1, 2)
    ]
    assert shuffled[0] == shuffled[1] != shuffled[2]
    assert shuffled[0] != list(range(40))
    # Only within ties.
    assert [item // 10 for item in shuffled[0]] == [item // 10 for item in range(40)]


def test_shuffled_ties_leave_repeats_mergeable() -> None:
    rows = [("u", item, 0) for item in "aaabbbccc"]
    dataset = prepare(make_log(rows), Preparation(min_count=0, repeats="merge", ties="shuffle"))
    assert sorted(histories(dataset)["u"]) == ["a", "b", "c"]


def test_shuffle_has_no_bias_toward_the_file_order() -> None:
    rows = [(f"u{n}", item, 0) for n in range(300) for item in ("a", "b")]
    dataset = prepare(make_log(rows), Preparation(min_count=0, ties="shuffle"))
    first = Counter(items[0] for items in histories(dataset).values())
    assert 110 < first["a"] < 190


def test_users_with_one_item_are_dropped_and_counted() -> None:
    log = make_log([("u", 1, 1), ("u", 2, 2), ("v", 3, 1)], dropped={"bad rows": 4})
    dataset = prepare(log, Preparation(min_count=0))
    assert dataset.users.ids == ["u"]
    assert dataset.report == {
        "bad rows": 4,
        "users with a single interaction": 1,
        "users without interactions left": 1,
        "items without interactions left": 1,
    }


def test_the_text_block_bug_makes_two_ids_of_one() -> None:
    rows = [(7, 1, 0), (7, 2, 1), (7, 1, 2), (7, 2, 3)]
    catalogue = pl.DataFrame({"item_id": [1, 2], "title": ["A", "B"], "genres": [["g"], []]})
    log = make_log(rows, catalogue)
    dataset = prepare(log, Preparation(min_count=0, text_rows=2))
    assert dataset.users.ids == ["7", "7#2"]
    assert dataset.items.ids == ["1", "2", "1#2", "2#2"]
    assert dataset.title("1#2") == "A"
    assert dataset.genres("1#2") == ["g"]


def test_presets_depend_on_the_origin_and_not_on_the_name() -> None:
    assert preset("clean", "lastfm").ties == "shuffle"
    assert preset("clean").ties == "file"
    assert preset("paper", "lastfm").text_rows == 131_071
    assert preset("paper", "ml-1m").text_rows == 0
    log = make_log([("u", item, 0) for item in range(9)])
    named = InteractionLog("lastfm", log.events, log.catalogue)
    dataset = prepare(named, Preparation(min_count=0))
    assert histories(dataset)["u"] == list(range(9))


def test_unknown_preset() -> None:
    with pytest.raises(ConfigError, match="no preset 'tidy'; choose one of clean, paper, stated"):
        prepare(make_log(ROWS), "tidy")


@pytest.mark.parametrize("name", PRESETS)
def test_nothing_left_is_one_clear_error(name: str) -> None:
    with pytest.raises(DataError, match="toy: nothing is left of 7 interactions"):
        prepare(make_log(ROWS), name)


def test_an_empty_log_is_one_clear_error() -> None:
    with pytest.raises(DataError, match="holds no interactions"):
        prepare(InteractionLog("toy", make_log(ROWS).events.head(0), make_log(ROWS).catalogue))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (pl.DataFrame({"user": [1], "item_id": [1], "timestamp": [1]}), "columns"),
        (pl.DataFrame({"user_id": [1.5], "item_id": [1], "timestamp": [1]}), "'user_id'"),
        (pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [1.0]}), "'timestamp'"),
        (pl.DataFrame({"user_id": [1, None], "item_id": [1, 2], "timestamp": [1, 2]}), "nulls"),
    ],
)
def test_a_log_checks_its_columns(events: Any, message: str) -> None:
    catalogue = make_log(ROWS).catalogue
    with pytest.raises(DataError, match=message):
        InteractionLog("toy", events, catalogue)


def test_settings_round_trip() -> None:
    settings_ = Preparation(repeats="merge", min_count=3, ties="shuffle", seed=9)
    assert Preparation.parse(settings_.model_dump(), "test") == settings_
