"""Archives: found where they are, read safely, and refused with one sentence."""

import logging
import stat
import zipfile
from pathlib import Path
from typing import Any

import pooch
import pytest

from influpath.data import read_lastfm, read_movielens
from influpath.data.archives import DATA_VARIABLE, read_members
from influpath.data.movielens import ML_1M
from influpath.errors import DataError

RATINGS = "".join(f"{u}::{i}::5::{100 * u + i}\n" for u in range(1, 7) for i in range(1, 7))
MOVIES = "1::Amélie::Comedy|Romance\n2::Two::Drama\n".encode("latin-1")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("no route to host")

    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "retrieve", refuse)


def make_zip(path: Any, members: Any) -> Any:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    members = {"ml-1m/ratings.dat": RATINGS, "ml-1m/movies.dat": MOVIES}
    make_zip(tmp_path / "ml-1m.zip", members)
    return tmp_path


def test_an_archive_is_read_and_an_unofficial_one_is_warned_about(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="influpath"):
        log = read_movielens(folder)
    assert log.events.height == 36
    assert log.events.row(1) == (1, 2, 102)
    assert log.catalogue.row(0) == (1, "Amélie", ["Comedy", "Romance"])
    assert "ratings.dat in" in caplog.text
    assert "is not the official file" in caplog.text


def test_every_place_that_may_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_movielens(folder).events
    with zipfile.ZipFile(folder / "ml-1m.zip") as archive:
        archive.extractall(folder / "unpacked")
    for place in (folder / "ml-1m.zip", folder / "unpacked", folder / "unpacked" / "ml-1m"):
        assert read_movielens(place).events.equals(expected)
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    assert read_movielens().events.equals(expected)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the data folder does not exist"):
        read_movielens(tmp_path / "nowhere")


@pytest.mark.parametrize("given", [True, False])
def test_a_failed_download_says_what_to_do(no_network: None, tmp_path: Path, given: Any) -> None:
    with pytest.raises(DataError) as caught:
        read_lastfm(tmp_path if given else None)
    text = str(caught.value)
    assert "downloading https://files.grouplens.org/" in text
    assert "--data-dir (data_dir) or INFLUPATH_DATA" in text
    assert ("holds none of" if given else "no data folder is set") in text


def test_a_download_with_another_checksum_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def mismatch(*args: Any, **kwargs: Any) -> Any:
        raise ValueError("SHA256 hash does not match")

    monkeypatch.setattr(pooch, "retrieve", mismatch)
    with pytest.raises(DataError, match="does not have the expected checksum"):
        read_movielens(tmp_path)


def test_a_download_is_checked_and_read(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    asked: dict[str, str] = {}

    def retrieve(url: Any, known_hash: Any, **kwargs: Any) -> Any:
        asked.update(url=url, known_hash=known_hash)
        return str(folder / "ml-1m.zip")

    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert read_movielens().events.height == 36
    assert asked == {"url": ML_1M.url, "known_hash": f"sha256:{ML_1M.sha256}"}


@pytest.mark.parametrize(
    "name", ["../ratings.dat", "a/../../x", "/etc/x", "C:\\x.dat", "..\\x.dat"]
)
def test_an_archive_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    place = make_zip(tmp_path / "ml-1m.zip", {"ratings.dat": RATINGS, name: "x"})
    with pytest.raises(DataError, match="would be written outside"):
        read_members(place, ["ratings.dat"])


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("ratings.dat")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    place = make_zip(tmp_path / "ml-1m.zip", {})
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match=r"'ratings\.dat' is a link"):
        read_members(place, ["ratings.dat"])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive_is_one_sentence(folder: Path, share: Any) -> None:
    place = folder / "ml-1m.zip"
    content = place.read_bytes()
    place.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"truncated or damaged \(.*\); fetch it again\.$"):
        read_movielens(folder)


def test_a_damaged_member_is_one_sentence(folder: Path) -> None:
    place = folder / "ml-1m.zip"
    content = bytearray(place.read_bytes())
    content[60:70] = b"\0" * 10
    place.write_bytes(bytes(content))
    with pytest.raises(DataError, match="truncated or damaged"):
        read_movielens(folder)


def test_members_are_bounded(folder: Path) -> None:
    with pytest.raises(DataError, match="has more than 100 bytes"):
        read_members(folder / "ml-1m.zip", ["ratings.dat"], limit=100)
    (folder / "ratings.dat").write_text(RATINGS)
    with pytest.raises(DataError, match="has more than 100 bytes"):
        read_members(folder, ["ratings.dat"], limit=100)


def test_missing_and_doubled_members(tmp_path: Path) -> None:
    place = make_zip(tmp_path / "a.zip", {"a/x.dat": "1", "b/x.dat": "2"})
    with pytest.raises(DataError, match=r"no file named 'y\.dat'"):
        read_members(place, ["y.dat"])
    with pytest.raises(DataError, match=r"2 files named 'x\.dat'"):
        read_members(place, ["x.dat"])
    with pytest.raises(DataError, match="no such file in the unpacked folder"):
        read_members(tmp_path, ["x.dat"])


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        (RATINGS + "1::2::x::4\n", "ratings.dat, line 37, column 'rating': 'x' is not a whole"),
        (RATINGS + "1::2::3\n", "line 37: has 3 fields instead of 4"),
        (RATINGS + "1::2::3::4::5\n", "line 37: has 5 fields instead of 4"),
        ("", "ratings.dat: is empty"),
        ("1::2\n", "line 1: has 2 fields instead of 4"),
        (RATINGS + "1" * (2 << 20) + "\n", "line 37: is longer than 1 MiB"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, ratings: Any, message: str) -> None:
    make_zip(tmp_path / "ml-1m.zip", {"ratings.dat": ratings, "movies.dat": MOVIES})
    with pytest.raises(DataError) as caught:
        read_movielens(tmp_path)
    assert message in str(caught.value)


def test_lastfm_takes_top_tags_as_genres(tmp_path: Path) -> None:
    tags = [("1", 3), ("2", 1), ("3", 2), ("4", 2)]
    rows = [f"{n}\t9\t{tag}\t5\r\n" for tag, times in tags for n in range(times)]
    make_zip(
        tmp_path / "hetrec2011-lastfm-2k.zip",
        {
            "user_taggedartists-timestamps.dat": "userID\tartistID\ttagID\ttimestamp\r\n"
            + "".join(rows),
            "artists.dat": 'id\tname\turl\tpictureURL\n9\tThe "Q\tu\tp\n8\tOther\tu\tp\n',
            "tags.dat": "tagID\ttagValue\r\n1\trock\r\n2\tpop\r\n3\tfrançais\r\n4\tjazz\r\n".encode(
                "latin-1"
            ),
        },
    )
    log = read_lastfm(tmp_path)
    assert log.catalogue.rows() == [(9, 'The "Q', ["rock", "français", "jazz"]), (8, "Other", [])]
    assert log.events.height == 8


def test_a_wrong_header_is_named(tmp_path: Path) -> None:
    make_zip(
        tmp_path / "hetrec2011-lastfm-2k.zip",
        {
            "user_taggedartists-timestamps.dat": "a\tb\tc\td\n1\t2\t3\t4\n",
            "artists.dat": "",
            "tags.dat": "",
        },
    )
    with pytest.raises(DataError, match="line 1: the header is"):
        read_lastfm(tmp_path)
