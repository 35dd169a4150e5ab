from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.dataset import Dataset
from influpath.errors import DataError, InfluPathError, UnknownIdError
from influpath.evaluation import fixed_subset, read_pairs, sample_pairs, with_role, write_pairs

from .fakes import make_dataset


def random_dataset(seed: int, users: int = 40, items: int = 12, text_ids: bool = False) -> Dataset:
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(items)[: rng.integers(1, items - 3)] + 1 for _ in range(users)]
    return make_dataset([row.tolist() for row in rows], items, text_ids=text_ids)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_objectives_are_new_to_the_user_and_known_enough(seed: int) -> None:
    data = random_dataset(seed)
    pairs = sample_pairs(data, seed)
    assert pairs.columns == ["pair_id", "user_id", "objective_id", "role"]
    assert pairs["pair_id"].dtype == pl.Int64
    assert pairs["user_id"].to_list() == data.users.ids
    for row, objective in enumerate(data.items.encode(pairs["objective_id"])):
        assert objective not in data.sequences.row(row)
        assert data.item_counts[objective] >= 5
    assert with_role(pairs, "dial").height == 4
    assert with_role(pairs, "report").height == 36
    assert pairs.equals(sample_pairs(data, seed))


def test_objectives_are_uniform_over_what_is_unseen() -> None:
    # User r has seen item 1 + r % 2 and everybody else's share; items 3..6 and one of 1, 2 remain.
    data = make_dataset([[1 + r % 2, 7] for r in range(6000)], items=7)
    pairs = sample_pairs(data, seed=3, minimum_interactions=0)
    drawn = data.items.encode(pairs["objective_id"])[::2]
    counts = np.bincount(drawn, minlength=8)
    assert counts[[0, 1, 7]].tolist() == [0, 0, 0]
    # 3000 draws over 5 items: 600 each, standard deviation 22.
    assert np.abs(counts[2:7] - 600).max() < 100


def test_a_user_with_one_item_left_gets_it_and_one_with_none_is_an_error() -> None:
    many = list(range(1, 400))
    data = make_dataset([many] * 5 + [[*many, 400]] * 5, items=401)
    with pytest.raises(DataError, match="user 105 has seen every item"):
        sample_pairs(data, seed=0)
    data = make_dataset([many] * 5 + [[400]] * 5, items=400)
    pairs = sample_pairs(data, seed=0)
    assert pairs["objective_id"].to_list()[:5] == [400] * 5
    with pytest.raises(DataError, match="no item has 5 interactions"):
        sample_pairs(make_dataset([[1, 2]], items=3), seed=0)


def test_seeds_differ() -> None:
    data = random_dataset(1)
    assert not sample_pairs(data, 1).equals(sample_pairs(data, 2))


def test_the_fixed_subset_depends_on_the_set_alone() -> None:
    pairs = sample_pairs(random_dataset(1), 1)
    chosen = fixed_subset(pairs, 10, seed=4)
    assert chosen.height == 10
    assert chosen["pair_id"].is_sorted()
    assert chosen.equals(fixed_subset(pairs.sample(fraction=1, shuffle=True, seed=0), 10, seed=4))
    assert not chosen.equals(fixed_subset(pairs, 10, seed=5))
    assert fixed_subset(pairs, 500, seed=4).equals(pairs)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("text_ids", [False, True])
def test_files_round_trip(tmp_path: Path, suffix: str, text_ids: bool) -> None:
    data = random_dataset(1, text_ids=text_ids)
    pairs = sample_pairs(data, 1)
    write_pairs(pairs, tmp_path / f"pairs.{suffix}")
    assert read_pairs(tmp_path / f"pairs.{suffix}", data).equals(pairs)


def test_text_ids_that_look_like_numbers_survive_csv(tmp_path: Path) -> None:
    data = make_dataset([[1], [2]], items=3)
    data = Dataset(
        data.name,
        data.preset,
        data.sequences,
        users=type(data.users)(["007", "07"], 0, "user"),
        items=type(data.items)(["1", "01", "001"], 1, "item"),
        catalogue=data.catalogue,
    )
    pairs = pl.DataFrame(
        {"pair_id": [0, 1], "user_id": ["007", "07"], "objective_id": ["001", "1"]}
    )
    write_pairs(pairs, tmp_path / "pairs.csv")
    assert read_pairs(tmp_path / "pairs.csv", data).equals(pairs)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"user_id": pl.lit(999)}, UnknownIdError, r"pairs\.csv: 2 user id\(s\).*999"),
        ({"objective_id": pl.lit(999)}, UnknownIdError, r"pairs\.csv: 2 item id\(s\).*999"),
        ({"objective_id": pl.lit(1)}, DataError, "pair 0 .user 100, objective 1"),
        ({"pair_id": pl.lit(3)}, DataError, "pair_id 3 occurs more than once"),
        ({"role": pl.lit("boss")}, DataError, "only dial and report"),
        ({"user_id": pl.lit(None)}, DataError, "user_id has 2 empty values"),
        ({"user_id": pl.lit("bob")}, DataError, "cannot be read as pairs"),
    ],
)
def test_wrong_pairs_are_one_clear_error(
    tmp_path: Path, change: dict[str, Any], error: type[InfluPathError], message: str
) -> None:
    data = make_dataset([[1], [2]], items=3)
    pairs = pl.DataFrame(
        {
            "pair_id": [0, 1],
            "user_id": [100, 101],
            "objective_id": [3, 3],
            "role": ["report", "report"],
        }
    )
    path = tmp_path / "pairs.csv"
    write_pairs(pairs, path)
    assert read_pairs(path, data).equals(pairs)
    write_pairs(pairs.with_columns(**change), path)
    with pytest.raises(error, match=message):
        read_pairs(path, data)


def test_files_that_are_no_pairs(tmp_path: Path) -> None:
    data = make_dataset([[1], [2]], items=3)
    with pytest.raises(DataError, match="no such file"):
        read_pairs(tmp_path / "pairs.csv", data)
    with pytest.raises(DataError, match=r"\.csv or \.parquet"):
        read_pairs(tmp_path / "pairs.json", data)
    (tmp_path / "pairs.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path / "pairs.parquet", data)
    (tmp_path / "pairs.csv").write_text("user_id\n100\n")
    with pytest.raises(DataError, match=r"column\(s\) pair_id, objective_id missing"):
        read_pairs(tmp_path / "pairs.csv", data)
    with pytest.raises(ValueError, match="dial or report"):
        with_role(pl.DataFrame({"role": ["dial"]}), "x")
