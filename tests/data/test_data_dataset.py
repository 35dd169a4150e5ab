"""Saving and loading datasets, and the one call that loads everything."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from influpath.data import (
    SOURCES,
    Dataset,
    IdMap,
    Preparation,
    Sequences,
    load_dataset,
    read_log,
    read_table,
)
from influpath.errors import ConfigError, DataError, UnknownIdError


@pytest.fixture
def dataset() -> Any:
    frame = pl.DataFrame(
        [(f"ü{u}", i, u + i) for u in range(6) for i in range(5 + u % 2)],
        schema=["user_id", "item_id", "timestamp"],
        orient="row",
    )
    items = pl.DataFrame({"item_id": [1, 2], "title": ["One", None], "genres": [["a", "b"], []]})
    return load_dataset(frame, items=items, name="mine")


def test_round_trip(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path / "saved")
    again = Dataset.load(tmp_path / "saved")
    assert again.fingerprint == dataset.fingerprint
    assert (again.users, again.items) == (dataset.users, dataset.items)
    assert again.catalogue.equals(dataset.catalogue)
    assert (again.name, again.preset, again.report) == ("mine", "clean", dataset.report)
    assert again.sequences.values.tolist() == dataset.sequences.values.tolist()
    assert load_dataset(tmp_path / "saved").fingerprint == dataset.fingerprint


def test_text_ids_that_look_like_numbers_survive(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": ["1"] * 2, "item_id": ["52", "52#2"], "timestamp": [1, 2]})
    load_dataset(frame, Preparation(min_count=0)).save(tmp_path)
    assert Dataset.load(tmp_path).items.ids == ["52", "52#2"]


@pytest.mark.parametrize("name", ["sequences.safetensors", "catalogue.parquet", "dataset.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage"])
def test_damage_is_one_sentence(dataset: Dataset, tmp_path: Path, name: str, damage: Any) -> None:
    dataset.save(tmp_path)
    victim = tmp_path / name
    if damage == "missing":
        victim.unlink()
    elif damage == "truncated":
        victim.write_bytes(victim.read_bytes()[:-10])
    else:
        victim.write_bytes(b"\x93garbage")
    with pytest.raises(DataError) as caught:
        Dataset.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_changed_ids_do_not_fit_the_fingerprint(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path)
    about = json.loads((tmp_path / "dataset.json").read_text())
    about["items"][:2] = about["items"][1::-1]
    (tmp_path / "dataset.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match="fingerprint"):
        Dataset.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"items": [1]},
        {"users": ["x", "x"]},
        {"users": None},
        {"items": [[1]] * 5},
        {"fingerprint": None},
    ],
)
def test_a_changed_description_is_refused(dataset: Dataset, tmp_path: Path, change: Any) -> None:
    dataset.save(tmp_path)
    about = json.loads((tmp_path / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps(about | change))
    with pytest.raises(DataError):
        Dataset.load(tmp_path)


def test_another_catalogue_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path)
    dataset.catalogue.drop("genres").write_parquet(tmp_path / "catalogue.parquet")
    with pytest.raises(DataError, match="the catalogue has the columns"):
        Dataset.load(tmp_path)


def test_ids_that_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    odd = Dataset(
        name="odd",
        preset="custom",
        sequences=Sequences.from_rows([[1, 1]]),
        users=IdMap([("a", 1)], 0, "user"),
        items=IdMap(["x"], 1, "item"),
        catalogue=pl.DataFrame({"item_id": ["x"], "title": ["X"], "genres": [[]]}),
    )
    with pytest.raises(DataError, match="only text and whole numbers"):
        odd.save(tmp_path)


def test_unknown_ids_are_named(dataset: Dataset) -> None:
    with pytest.raises(UnknownIdError, match="'nobody'"):
        dataset.rows_of(["ü1", "nobody"])
    with pytest.raises(UnknownIdError, match="99"):
        dataset.title(99)


def test_titles_genres_and_stats(dataset: Dataset) -> None:
    assert dataset.title(1) == "One"
    assert dataset.title(2) == "2"
    assert dataset.genres(1) == ["a", "b"]
    assert dataset.genres(3) == []
    assert dataset.stats() == {
        "users": 6, "items": 5, "interactions": 30, "density": 1.0, "items_per_user": 5.0,
    }  # fmt: skip


def test_a_saved_dataset_is_prepared_already(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path)
    with pytest.raises(ConfigError, match="prepared already, with preset 'clean'"):
        load_dataset(tmp_path, "paper")
    with pytest.raises(ConfigError, match="takes no option 'user_column'"):
        load_dataset(tmp_path, user_column="u")


def test_a_log_can_be_prepared_directly(dataset: Dataset) -> None:
    frame = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [1, 2]})
    log = read_table(frame)
    assert read_log(log) is log
    assert load_dataset(log, Preparation(min_count=0)).stats()["interactions"] == 2


def test_sources_are_listed_and_unknown_ones_named(tmp_path: Path) -> None:
    assert set(SOURCES) == {"simulated", "ml-1m", "lastfm"}
    with pytest.raises(DataError, match=r"'ml-20m' is neither a known dataset \(simulated, ml-1m"):
        load_dataset("ml-20m")
    with pytest.raises(DataError, match="is no dataset folder"):
        load_dataset(tmp_path)
    with pytest.raises(ConfigError, match="ml-1m takes no option 'separator'"):
        load_dataset("ml-1m", separator=",")
    with pytest.raises(ConfigError, match="a table takes no option 'colour'"):
        load_dataset(tmp_path / "x.csv", colour="red")
    with pytest.raises(ConfigError, match="simulated: colour"):
        load_dataset("simulated", colour="red")
