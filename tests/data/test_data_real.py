"""The exact counts of the paper's datasets, and facts about them that the project rests on."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from influpath.data import (
    Dataset,
    InteractionLog,
    load_dataset,
    prepare,
    read_lastfm,
    read_movielens,
)

pytestmark = pytest.mark.realdata


def find(request: pytest.FixtureRequest, *names: Any) -> Any:
    given = os.environ.get("INFLUPATH_DATA")
    places = [Path(given)] if given else [request.config.rootpath.parent / "shared" / "datasets"]
    for place in places:
        if any((place / name).exists() for name in names):
            return place
    pytest.skip(f"real data absent: set INFLUPATH_DATA to a folder with one of {', '.join(names)}")


@pytest.fixture(scope="module")
def ml_1m(request: pytest.FixtureRequest) -> Any:
    return read_movielens(find(request, "ml-1m.zip", "ml-1m-reconstructed.zip", "ml-1m"))


@pytest.fixture(scope="module")
def lastfm(request: pytest.FixtureRequest) -> Any:
    return read_lastfm(find(request, "hetrec2011-lastfm-2k.zip", "hetrec2011-lastfm-2k"))


def counts(dataset: Dataset) -> Any:
    stats = dataset.stats()
    return stats["users"], stats["items"], stats["interactions"]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("clean", (6040, 3416, 999_611)), ("paper", (6040, 3415, 996_183))],
)
def test_ml_1m_counts(ml_1m: InteractionLog, preset: str, expected: Any) -> None:
    dataset = prepare(ml_1m, preset)
    assert counts(dataset) == expected
    assert dataset.catalogue["title"].null_count() == 0
    # The most popular film is what the published filter loses.
    assert (2858 in dataset.items) == (preset == "clean")


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("clean", (1090, 3646, 52_551)),
        ("paper", (896, 2682, 28_220)),
        ("stated", (1128, 4210, 68_088)),
    ],
)
def test_lastfm_counts(lastfm: InteractionLog, preset: str, expected: Any) -> None:
    assert counts(prepare(lastfm, preset)) == expected


def test_the_report_accounts_for_every_interaction(
    ml_1m: InteractionLog, lastfm: InteractionLog
) -> None:
    for log in (ml_1m, lastfm):
        for preset in ("clean", "paper", "stated"):
            dataset = prepare(log, preset)
            lost = sum(
                count
                for reason, count in dataset.report.items()
                if not reason.startswith(("users", "items"))
            )
            assert log.events.height - lost == len(dataset.sequences.values)


def test_the_paper_counts_artists_twice(lastfm: InteractionLog) -> None:
    ids = prepare(lastfm, "paper").items.ids
    assert len({str(item).removesuffix("#2") for item in ids}) == 2018


def test_lastfm_ties_are_no_longer_in_order_of_the_artist_id(lastfm: InteractionLog) -> None:
    shares = []
    for preset in ("stated", "clean"):
        dataset = prepare(lastfm, preset)
        ids = np.array(dataset.items.ids, dtype=np.int64)[dataset.sequences.values - 1]
        same = dataset.sequences.row_of_value[1:] == dataset.sequences.row_of_value[:-1]
        shares.append((np.diff(ids)[same] > 0).mean())
    assert shares[0] > 0.85
    assert abs(shares[1] - 0.5) < 0.05


def test_ml_1m_order_is_a_stable_sort_by_time(ml_1m: InteractionLog) -> None:
    dataset = prepare(ml_1m, "clean")
    events = ml_1m.events.filter(pl.col("item_id").is_in(dataset.items.ids))
    expected = events.sort("user_id", "timestamp", maintain_order=True)["item_id"]
    actual = dataset.items.series("item_id", dataset.sequences.values)
    assert actual.equals(expected)


def test_lastfm_round_trip(lastfm: InteractionLog, tmp_path: Path) -> None:
    dataset = prepare(lastfm, "paper")
    dataset.save(tmp_path)
    again = load_dataset(tmp_path, "paper")
    assert again.fingerprint == dataset.fingerprint
    assert again.catalogue.equals(dataset.catalogue)
