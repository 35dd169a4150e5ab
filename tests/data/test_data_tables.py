"""Reading other people's tables: what works, and one clear sentence for what does not."""

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from influpath.data import load_dataset, read_table
from influpath.errors import DataError

HEADER = "user_id,item_id,timestamp\n"


def write(tmp_path: Path, text: str | bytes, name: str = "log.csv") -> Any:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_csv(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "7,x,30\n7,y,20\n8,x,10\n")
    log = read_table(path)
    assert log.name == "log"
    assert log.events.rows() == [(7, "x", 30), (7, "y", 20), (8, "x", 10)]
    assert log.events.schema["user_id"] == pl.Int64
    assert log.dropped == {}


def test_csv_with_other_names_quotes_blanks_and_windows_line_ends(tmp_path: Path) -> None:
    text = '\ufeffwho, what ,when,title\r\n1,"a,b",5,"T ""x"""\r\n 2 ,c,6,\r\n'
    log = read_table(
        write(tmp_path, text),
        user_column="who",
        item_column="what",
        timestamp_column="when",
        title_column="title",
        name="mine",
    )
    assert log.name == "mine"
    assert log.events.rows() == [(1, "a,b", 5), (2, "c", 6)]
    assert log.catalogue.rows() == [("a,b", 'T "x"', []), ("c", None, [])]


def test_ids_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    log = read_table(write(tmp_path, HEADER + "007,1,1\n7,2,2\n"))
    assert log.events["user_id"].to_list() == ["007", "7"]
    assert log.events["item_id"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("name", "separator"), [("a.tsv", "\t"), ("a.inter", "\t"), ("a.csv", ";")]
)
def test_separators(tmp_path: Path, name: str, separator: Any) -> None:
    path = write(tmp_path, (HEADER + "1,2,3\n").replace(",", separator), name)
    given = separator if name.endswith("csv") else None
    assert read_table(path, separator=given).events.rows() == [(1, 2, 3)]


def test_parquet_and_frames_give_the_same_log(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": ["a", "b"], "item_id": [5, 6], "timestamp": [2.0, 1.0]})
    frame.write_parquet(tmp_path / "log.parquet")
    sources = (tmp_path / "log.parquet", frame, frame.lazy(), pd.DataFrame(frame.to_dict()))
    rows = [read_table(source).events.rows() for source in sources]
    assert rows == [[("a", 5, 2), ("b", 6, 1)]] * 4


def test_pandas_floats_of_whole_numbers_become_numbers_again() -> None:
    frame = pd.DataFrame({"user_id": [1, None, 2], "item_id": ["x", "y", "z"], "timestamp": 5})
    log = read_table(frame)
    assert log.events.rows() == [(1, "x", 5), (2, "z", 5)]
    assert log.dropped == {"rows without a user or item id": 1}


def test_rows_with_missing_values_are_dropped_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "1,2,3\n,2,3\n1,,3\n1,2,\n\n4,5,6\n")
    log = read_table(path)
    assert log.events.height == 2
    assert log.dropped == {"rows without a user or item id": 3, "rows without a timestamp": 1}


def times(values: Any) -> Any:
    frame = pl.DataFrame({"user_id": 1, "item_id": 2, "timestamp": values})
    return read_table(frame).events["timestamp"].to_list()


def test_times() -> None:
    assert times([3, 1, 2]) == [3, 1, 2]
    assert times([3.0, 1.0]) == [3, 1]
    assert times([1.5, 1.25]) == [1_500_000, 1_250_000]
    assert times(["3", " 1 "]) == [3, 1]
    assert times(["1.5", "2"]) == [1_500_000, 2_000_000]
    assert times([dt.date(1970, 1, 2), dt.date(1970, 1, 1)]) == [1, 0]
    assert times([dt.datetime(1970, 1, 1, 0, 0, 1)]) == [1_000_000]


def test_iso_times() -> None:
    texts = [
        "2024-01-02T03:04:05Z",
        "2024-01-02T03:04:05+00:00",
        "2024-01-02 04:04:05+0100",
        "2024-01-02 03:04:05",
        "2024-01-02T03:04:05.000000",
    ]
    moment = int(dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC).timestamp() * 1e6)
    assert times(texts) == [moment] * 5
    day = int(dt.datetime(2024, 1, 2, tzinfo=dt.UTC).timestamp() * 1e6)
    assert times(["2024-01-02", "2024-01-02 00:01"]) == [day, day + 60_000_000]


def test_without_time_column_rows_are_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, "user_id,item_id\n1,5\n1,6\n")
    assert read_table(path, timestamp_column=None).events["timestamp"].to_list() == [0, 1]


def test_titles_and_genres_from_a_second_table(tmp_path: Path) -> None:
    log_path = write(tmp_path, HEADER + "1,2,3\n1,4,5\n")
    items = write(tmp_path, "item_id,title,genres\n4,Four,a| b|\nx,Ex,c\n4,Again,d\n", "items.csv")
    catalogue = read_table(log_path, items=items).catalogue
    assert catalogue.rows() == [(4, "Four", ["a", "b"])]
    lists = pl.DataFrame({"item_id": [2], "name": ["Two"], "tags": [["p", "q"]]})
    catalogue = read_table(
        log_path, items=lists, title_column="name", genres_column="tags"
    ).catalogue
    assert catalogue.rows() == [(2, "Two", ["p", "q"])]


LONG = "x" * ((1 << 20) + 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,timestamp\n1,2\n", "log.csv: has no column 'item_id'; it has 'user_id', "),
        ("", "log.csv: is empty."),
        (" \n\n", "log.csv: is empty."),
        (HEADER, "log.csv: has a header but no rows."),
        (HEADER + ",,\n", "log.csv: no row has a user, an item and a timestamp."),
        (
            HEADER + "1,2,3\n1,3,soon\n",
            "log.csv, line 3, column 'timestamp': 'soon' is not a time",
        ),
        (
            HEADER + "1,2,2024-01-01\n1,3,2024-13-01\n",
            "log.csv, line 3, column 'timestamp': '2024-13-01' is not a time",
        ),
        (
            HEADER + '1,"two\nlines",3\n\n1,3,soon\n',
            "log.csv, line 5, column 'timestamp': 'soon' is not a time",
        ),
        (HEADER + "1,2,99999999999999999999\n", "line 2, column 'timestamp': '999999999999999999"),
        (HEADER + "1,2,inf\n", "line 2, column 'timestamp': 'inf' is not a time"),
        (
            "user_id,item_id,timestamp,item_id\n1,2,3,4\n",
            "log.csv, line 1: the header has the column 'item_id' twice (columns 2 and 4).",
        ),
        (HEADER + "1,2,3\n" + f"1,{LONG},3\n", "log.csv, line 3: is longer than 1 MiB"),
        (HEADER + "1,2,3\n1,2,3,4\n", "log.csv, line 3: has 4 fields, but the header has 3"),
        (HEADER + '1,2,3\n1,"2,3\n', "log.csv, line 3: is no proper row"),
        (HEADER.encode() + b"1,2,3\n1,\xff,3\n", "log.csv, line 3: is not UTF-8 text"),
        (b"\xff\xfeu\x00\n", "log.csv, line 1: is not UTF-8 text"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert message in str(caught.value)
    assert str(caught.value).endswith(".")
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.parquet", b"", "is empty"),
        ("log.parquet", b"no parquet at all", "is damaged or not Parquet"),
        ("log.xlsx", b"PK", "unknown kind of file '.xlsx'"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, content, name))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (pl.DataFrame({"user_id": [1], "item_id": [2]}), "the frame: has no column 'timestamp'"),
        (
            pl.DataFrame({"user_id": [1, 1], "item_id": [2, 3], "timestamp": [1.0, float("inf")]}),
            "the frame, row 2, column 'timestamp': inf is not a time",
        ),
        (
            pl.DataFrame({"user_id": [[1]], "item_id": [2], "timestamp": [3]}),
            "the frame, column 'user_id': ids must be text or numbers, not List",
        ),
        (
            pl.DataFrame({"user_id": [1], "item_id": [2], "timestamp": [True]}),
            "the frame, row 1, column 'timestamp': timestamps must be numbers, dates or text",
        ),
        (pl.DataFrame(schema=["user_id", "item_id", "timestamp"]), "no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the frame: has the column 'a' twice"),
        (
            pd.DataFrame({"user_id": [1, "x"], "item_id": 1, "timestamp": 1}),
            "the frame: a column mixes types",
        ),
        ({"user_id": [1]}, "cannot read interactions from a dict"),
        ("missing.csv", "missing.csv: no such file"),
    ],
)
def test_bad_sources(source: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_table(source)
    assert message in str(caught.value)


def test_a_separator_is_one_character(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="separator '::' must be a single"):
        read_table(write(tmp_path, HEADER + "1,2,3\n"), separator="::")


def test_a_user_with_one_item_is_dropped_and_counted(tmp_path: Path) -> None:
    rows = "".join(f"{user},{item},{item}\n" for user in range(6) for item in range(6))
    dataset = load_dataset(write(tmp_path, HEADER + rows + "lonely,1,1\n"))
    assert dataset.stats()["users"] == 6
    assert dataset.report["users without interactions left"] == 1


def test_importing_the_package_loads_neither_pandas_nor_pooch() -> None:
    code = "import sys, influpath.data; print('pandas' in sys.modules, 'pooch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
