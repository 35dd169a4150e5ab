"""Last.fm tag assignments (HetRec 2011): who tagged which artist when, read as interactions."""

from pathlib import Path

import polars as pl

from influpath.data.archives import ArchiveSource, open_source
from influpath.data.dat_files import read_dat
from influpath.data.log import InteractionLog

LASTFM = ArchiveSource(
    name="lastfm",
    url="https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-2k.zip",
    sha256="6738f48195667ff03caaab4d32ca9a3133d8cc026b7c3cdaf6ce1010e913c59c",
    archives=("hetrec2011-lastfm-2k.zip",),
    folders=("hetrec2011-lastfm-2k", "lastfm"),
    main="user_taggedartists-timestamps.dat",
    main_digest="sha256:ec753318e453b15356853674b687da44d9f8c7e1215e1e0ff27aaa5f52e322bd",
)
TAGS_PER_ARTIST = 3


def read_lastfm(data_dir: str | Path | None = None) -> InteractionLog:
    """Read the tag assignments; each row is an interaction of a user with an artist.

    A user who gives an artist five tags at once makes five rows, so repeats are many.  Timestamps
    are milliseconds, mostly at midnight; the few impossible ones (before 1970) are kept, since only
    the order within a user counts.  An artist's genres are the three tags it got most often (ties:
    the lower tag number).

    Args:
        data_dir: See ``archives.open_source``.

    Raises:
        DataError: The archive cannot be found, downloaded or read.
    """
    names = (LASTFM.main, "artists.dat", "tags.dat")
    place, members = open_source(LASTFM, names, data_dir)
    events = read_dat(
        members[LASTFM.main],
        place / LASTFM.main,
        dict.fromkeys(("userID", "artistID", "tagID", "timestamp"), pl.Int64),
        separator="\t",
        header=True,
    ).rename({"userID": "user_id", "artistID": "item_id"})
    artists = read_dat(
        members["artists.dat"],
        place / "artists.dat",
        {"id": pl.Int64, "name": pl.String, "url": pl.String, "pictureURL": pl.String},
        separator="\t",
        header=True,
    )
    tags = read_dat(
        members["tags.dat"],
        place / "tags.dat",
        {"tagID": pl.Int64, "tagValue": pl.String},
        separator="\t",
        encoding="latin-1",
        header=True,
    )
    catalogue = artists.select(item_id="id", title="name").join(
        _top_tags(events, tags), on="item_id", how="left", maintain_order="left"
    )
    return InteractionLog(
        name=LASTFM.name,
        events=events.select("user_id", "item_id", "timestamp"),
        catalogue=catalogue.with_columns(pl.col("genres").fill_null([])),
        origin=LASTFM.name,
    )


def _top_tags(events: pl.DataFrame, tags: pl.DataFrame) -> pl.DataFrame:
    """Return ``item_id, genres``: each artist's most frequent tags, most frequent first."""
    return (
        events.group_by("item_id", "tagID")
        .len()
        .sort(["item_id", "len", "tagID"], descending=[False, True, False])
        .group_by("item_id", maintain_order=True)
        .head(TAGS_PER_ARTIST)
        .join(tags, on="tagID", how="inner", maintain_order="left")
        .group_by("item_id", maintain_order=True)
        .agg(genres=pl.col("tagValue").str.strip_chars())
    )
