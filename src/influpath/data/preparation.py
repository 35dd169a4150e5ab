"""From a raw log to a ``Dataset``: repeats, the frequency filter, order and id maps."""

import logging
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.log import InteractionLog
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError, DataError

logger = logging.getLogger("influpath")

Repeats = Literal["drop", "merge", "keep"]
Preset = Literal["clean", "paper", "stated"]
BoolArray = npt.NDArray[np.bool_]


class Preparation(FrozenConfig):
    """How a raw log becomes sequences.

    Attributes:
        repeats: What happens to a user's repeated items.  "drop" keeps the first of each
            user-item pair, "merge" keeps the first of each run of the same item, "keep" keeps all.
        first_by: Which one is first for "drop": the earliest in time, or the first in the file.
        min_count: Users and items with fewer interactions are removed, again and again until
            none is left (k-core); 0 or 1 removes none.
        drop_top: Reproduce a bug of the published code: a pass of the filter that removes anything
            also removes every id that has the maximum count.
        ties: The order of a user's interactions with equal timestamps: as in the file, or
            shuffled with ``seed`` (where the file order is an artefact a model could learn).
        seed: Of the shuffle.
        text_rows: Reproduce a bug of the published reader: ids in the first ``text_rows`` rows are
            text and later ones numbers, so the same id on both sides counts as two.  Ids become
            text, and those of the second block get the suffix "#2".  0 switches it off.
    """

    repeats: Repeats = "drop"
    first_by: Literal["time", "file"] = "time"
    min_count: int = Field(default=5, ge=0)
    drop_top: bool = False
    ties: Literal["file", "shuffle"] = "file"
    seed: int = Field(default=0, ge=0)
    text_rows: int = Field(default=0, ge=0)


PRESETS: dict[Preset, Preparation] = {
    "clean": Preparation(),
    "paper": Preparation(first_by="file", drop_top=True),
    "stated": Preparation(repeats="merge"),
}
# On Lastfm 86% of neighbours share a timestamp, and ties are sorted by artist id in the file.  The
# published reader takes 131,072 lines of it as text, the header being the first.
SPECIAL: dict[tuple[Preset, str], Preparation] = {
    ("clean", "lastfm"): Preparation(ties="shuffle"),
    ("paper", "lastfm"): Preparation(first_by="file", drop_top=True, text_rows=131_071),
}


def preset(name: str, origin: str = "table") -> Preparation:
    """Return a preset, as it applies to a log.

    - ``clean`` (the default, and the only one for own data): each user-item pair once, the
      earliest kept, then an iterated 5-core.  On Lastfm ties are shuffled with a fixed seed.
    - ``paper``: what Table I of the paper counts.  It reproduces, on purpose, two bugs of the
      published code (``drop_top``, and on Lastfm ``text_rows``, by which an id on both sides of
      the block counts as two: "52" and "52#2" are one artist).  Nobody should use it for anything
      but comparison with the paper.
    - ``stated``: what the paper's text says: consecutive repeats are merged, then a 5-core.

    Args:
        name: The preset's name.
        origin: The log's ``origin``, such as "lastfm".

    Raises:
        ConfigError: There is no such preset.
    """
    for known in get_args(Preset):
        if known == name:
            return SPECIAL.get((known, origin), PRESETS[known])
    raise ConfigError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}.")


def prepare(log: InteractionLog, how: str | Preparation = "clean") -> Dataset:
    """Turn a log into a dataset.

    Users and items are numbered in the order of their first appearance in the log, so equal logs
    give equal numbers.  Whatever is dropped or merged is counted in ``Dataset.report``.

    Args:
        log: The raw log.
        how: A preset's name, or a preparation of one's own (the dataset's preset is then "custom").

    Raises:
        ConfigError: There is no such preset.
        DataError: Nothing is left.
    """
    settings = how if isinstance(how, Preparation) else preset(how, log.origin)
    report = dict(log.dropped)
    if not log.events.height:
        raise DataError(f"{log.name}: holds no interactions.")
    events, catalogue = log.events, log.catalogue
    if settings.text_rows:
        events, catalogue = _split_ids(events, catalogue, settings.text_rows)
    user_ids, user = _codes(events["user_id"])
    item_ids, item = _codes(events["item_id"])
    time = events["timestamp"].to_numpy()

    order = _order(user, item, time, settings)
    if settings.repeats != "keep":
        kept = _without_repeats(user, item, order, settings)
        if settings.repeats == "drop":
            _count(report, "repeated user-item pairs dropped", len(order) - len(kept))
        else:
            _count(report, "consecutive repeats merged", len(order) - len(kept))
        order = kept
    left = frequent(user[order], item[order], settings.min_count, settings.drop_top)
    _count(
        report,
        f"interactions of users or items with fewer than {settings.min_count}"
        + (" (or the most)" if settings.drop_top else ""),
        int((~left).sum()),
    )
    order = order[left]
    # A user with a single item has nothing to learn from and nothing to test on.
    alone = np.bincount(user[order], minlength=len(user_ids)) == 1
    _count(report, "users with a single interaction", int(alone.sum()))
    order = order[~alone[user[order]]]
    if not len(order):
        raise DataError(
            f"{log.name}: nothing is left of {log.events.height} interactions: no user has at "
            f"least {max(2, settings.min_count)} of them after filtering; lower min_count or "
            "give more data."
        )
    kept_users = np.unique(user[order])
    kept_items = np.unique(item[order])
    _count(report, "users without interactions left", len(user_ids) - len(kept_users))
    _count(report, "items without interactions left", len(item_ids) - len(kept_items))
    number = np.zeros(len(item_ids), dtype=np.int64)
    number[kept_items] = np.arange(1, len(kept_items) + 1)
    lengths = np.bincount(user[order], minlength=len(user_ids))[kept_users]
    if report:
        logger.info("%s: %s", log.name, "; ".join(f"{n} {why}" for why, n in report.items()))
    items = item_ids[kept_items]
    return Dataset(
        name=log.name,
        preset="custom" if isinstance(how, Preparation) else how,
        sequences=Sequences.from_lengths(number[item[order]], lengths),
        users=IdMap(user_ids[kept_users].to_list(), 0, "user"),
        items=IdMap(items.to_list(), 1, "item"),
        catalogue=_catalogue(items, catalogue),
        report=report,
    )


def frequent(user: IntArray, item: IntArray, minimum: int, drop_top: bool = False) -> BoolArray:
    """Return which interactions survive the iterated frequency filter.

    Passes alternate items, then users, until nothing changes.

    Args:
        user: User code of each interaction, int64 [N].
        item: Item code of each interaction, int64 [N].
        minimum: The least count an id needs.
        drop_top: Also drop the ids with the maximum count, in every pass that has an id under
            ``minimum`` (a bug of the published code).

    Returns:
        bool [N].
    """
    left = np.arange(len(user))
    while True:
        before = len(left)
        for codes in (item, user):
            current = codes[left]
            counts = np.bincount(current)
            present = counts[counts > 0]
            if not len(present) or present.min() >= minimum:
                continue
            good = counts >= minimum
            if drop_top:
                good &= counts < present.max()
            left = left[good[current]]
        if len(left) == before:
            break
    mask = np.zeros(len(user), dtype=bool)
    mask[left] = True
    return mask


def _codes(ids: pl.Series) -> tuple[pl.Series, IntArray]:
    """Return the distinct ids in order of first appearance, and each row's position among them."""
    distinct = ids.unique(maintain_order=True)
    table = pl.DataFrame({"id": distinct}).with_row_index("code")
    codes = pl.DataFrame({"id": ids}).join(table, on="id", how="left", maintain_order="left")
    return distinct, codes["code"].to_numpy().astype(np.int64)


def _order(user: IntArray, item: IntArray, time: IntArray, settings: Preparation) -> IntArray:
    """Return the row order by user, then time, then the rule for ties."""
    if settings.ties == "file":
        return np.lexsort((time, user))
    # A key per user, time and item: equal items stay neighbours, so "merge" still finds them.
    key = _mix(_mix(_mix(np.full(len(user), settings.seed, np.int64), user), time), item)
    return np.lexsort((key, time, user))


def _mix(state: npt.NDArray[np.generic], value: IntArray) -> npt.NDArray[np.uint64]:
    """Return a hash of two integers (the finaliser of SplitMix64), the same on every machine."""
    step = np.uint64(0x9E3779B97F4A7C15)
    mixed = state.astype(np.uint64) + (value.astype(np.uint64) + np.uint64(1)) * step
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _without_repeats(
    user: IntArray, item: IntArray, order: IntArray, settings: Preparation
) -> IntArray:
    """Return ``order`` without the rows that the repeat policy removes."""
    if settings.repeats == "merge":
        same = (user[order][1:] == user[order][:-1]) & (item[order][1:] == item[order][:-1])
        return np.asarray(order[np.concatenate([[True], ~same])], dtype=np.int64)
    pair = user * (item.max() + 1) + item
    in_turn = np.arange(len(user)) if settings.first_by == "file" else order
    _, first = np.unique(pair[in_turn], return_index=True)
    kept = np.zeros(len(user), dtype=bool)
    kept[in_turn[first]] = True
    return order[kept[order]]


def _split_ids(
    events: pl.DataFrame, catalogue: pl.DataFrame, text_rows: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make ids text, with the suffix "#2" after the first ``text_rows`` rows."""
    later = pl.int_range(pl.len()) >= text_rows
    suffix = pl.when(later).then(pl.lit("#2")).otherwise(pl.lit(""))
    events = events.with_columns(
        pl.col(name).cast(pl.String) + suffix for name in ("user_id", "item_id")
    )
    text = catalogue.with_columns(pl.col("item_id").cast(pl.String))
    return events, pl.concat([text, text.with_columns(pl.col("item_id") + "#2")])


def _catalogue(items: pl.Series, catalogue: pl.DataFrame) -> pl.DataFrame:
    """Return the catalogue in the order of ``items``; unknown titles are null, genres empty."""
    known = (
        catalogue.with_columns(pl.col("item_id").cast(items.dtype, strict=False))
        .drop_nulls("item_id")
        .unique("item_id", keep="first", maintain_order=True)
    )
    return (
        pl.DataFrame({"item_id": items})
        .join(known, on="item_id", how="left", maintain_order="left")
        .with_columns(pl.col("genres").fill_null([]))
        .select("item_id", "title", "genres")
    )


def _count(report: dict[str, int], reason: str, count: int) -> None:
    """Note what was dropped, where anything was."""
    if count:
        report[reason] = report.get(reason, 0) + count
