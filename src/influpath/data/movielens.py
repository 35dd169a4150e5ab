"""MovieLens-1M (Harper and Konstan, 2015): one million ratings, read as interactions."""

from pathlib import Path

import polars as pl

from influpath.data.archives import ArchiveSource, open_source
from influpath.data.dat_files import read_dat
from influpath.data.log import InteractionLog

ML_1M = ArchiveSource(
    name="ml-1m",
    url="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
    sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    archives=("ml-1m.zip", "ml-1m-reconstructed.zip"),
    folders=("ml-1m", "ml-1m-reconstructed", "ml-1m-reconstructed/ml-1m"),
    main="ratings.dat",
    main_digest="blob:77a7c4b150f588c23bb9e1f068aa996c0b413695",
)


def read_movielens(data_dir: str | Path | None = None) -> InteractionLog:
    """Read MovieLens-1M; every rating, whatever its value, is an interaction (paper IV-A1).

    Args:
        data_dir: See ``archives.open_source``.

    Raises:
        DataError: The archive cannot be found, downloaded or read.
    """
    place, members = open_source(ML_1M, ("ratings.dat", "movies.dat"), data_dir)
    ratings = read_dat(
        members["ratings.dat"],
        place / "ratings.dat",
        {"user_id": pl.Int64, "item_id": pl.Int64, "rating": pl.Int64, "timestamp": pl.Int64},
        separator="::",
    )
    movies = read_dat(
        members["movies.dat"],
        place / "movies.dat",
        {"item_id": pl.Int64, "title": pl.String, "genres": pl.String},
        separator="::",
        encoding="latin-1",
    )
    return InteractionLog(
        name=ML_1M.name,
        events=ratings.select("user_id", "item_id", "timestamp"),
        catalogue=movies.with_columns(pl.col("genres").str.strip_chars().str.split("|")),
        origin=ML_1M.name,
    )
