"""Who is led where: one objective per user, drawn once from a seed (paper IV-B1).

A frame of pairs has the columns ``pair_id`` (Int64), ``user_id``, ``objective_id`` and ``role``:
"dial" pairs choose dials and thresholds, "report" pairs make the tables.

Shape suffixes: P pairs, R users.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import DataError, UnknownIdError
from influpath.files import atomic_path

MINIMUM_INTERACTIONS = 5
ROLES = ("dial", "report")
COLUMNS = ("pair_id", "user_id", "objective_id")

# Rounds of rejection before the few users left are drawn from the list of their unseen items.
REJECTION_ROUNDS = 32


@dataclass(frozen=True, eq=False)
class PairNumbers:
    """Pairs as numbers of a dataset.

    Attributes:
        pair_ids: Pair ids, distinct, int64 [P].
        user_rows: User rows, int64 [P].
        objectives: Item numbers of the objectives, int64 [P].
    """

    pair_ids: IntArray
    user_rows: IntArray
    objectives: IntArray

    def __len__(self) -> int:
        return len(self.pair_ids)


def sample_pairs(
    dataset: Dataset,
    seed: int,
    dial_share: float = 0.1,
    minimum_interactions: int = MINIMUM_INTERACTIONS,
) -> pl.DataFrame:
    """Draw one objective per user, uniform among items that are new to the user.

    Args:
        dataset: The full data, held-out items included, so that i_q is never an objective.
        seed: Decides objectives and roles.
        dial_share: Share of the users whose pair chooses dials; the rest is reported.
        minimum_interactions: An objective has at least this many interactions.

    Returns:
        Frame ``pair_id, user_id, objective_id, role``; the pair id is the user's row.

    Raises:
        DataError: No item has enough interactions, or a user has seen all that do.
    """
    rng = np.random.default_rng([seed, 0x0B1E])
    eligible = np.flatnonzero(dataset.item_counts >= minimum_interactions)
    eligible = eligible[eligible > 0]
    if not len(eligible):
        raise DataError(
            f"{dataset.name}: no item has {minimum_interactions} interactions, so that none can "
            "be an objective; use more data or lower the minimum."
        )
    objectives = _draw_unseen(dataset, eligible, rng)
    users = len(dataset.users)
    roles = np.full(users, ROLES[1], dtype=object)
    roles[rng.permutation(users)[: round(users * dial_share)]] = ROLES[0]
    rows = np.arange(users, dtype=np.int64)
    return pl.DataFrame(
        {
            "pair_id": rows,
            "user_id": dataset.users.series("user_id", rows),
            "objective_id": dataset.items.series("objective_id", objectives),
            "role": pl.Series(roles.tolist(), dtype=pl.String),
        }
    )


def with_role(pairs: pl.DataFrame, role: str) -> pl.DataFrame:
    """Return the pairs of one role, "dial" or "report"."""
    if role not in ROLES:
        raise ValueError(f"role is {' or '.join(ROLES)}, not {role!r}")
    return pairs.filter(pl.col("role") == role)


def fixed_subset(pairs: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Return ``count`` pairs chosen by seed, sorted by pair id; all where there are fewer.

    The choice depends on the set of pairs alone, not on their order in the frame.
    """
    ordered = pairs.sort("pair_id")
    chosen = np.random.default_rng([seed, 0x5B5E]).permutation(ordered.height)[:count]
    return ordered[np.sort(chosen)]


def encode_pairs(pairs: pl.DataFrame, dataset: Dataset, where: str = "pairs") -> PairNumbers:
    """Check pairs against a dataset and return them as numbers.

    Args:
        pairs: Frame with at least ``pair_id, user_id, objective_id``.
        dataset: Its sequences are the histories that may not hold the objectives.
        where: Names the source in errors, such as a file name.

    Raises:
        DataError: A column or value is missing, a pair id occurs twice, a role is unknown, or an
            objective is in its user's history.
        UnknownIdError: A user or an objective is not in the dataset.
    """
    missing = [name for name in COLUMNS if name not in pairs.columns]
    if missing:
        raise DataError(f"{where}: column(s) {', '.join(missing)} missing; needed: {COLUMNS}.")
    for name in COLUMNS:
        if pairs[name].null_count():
            raise DataError(f"{where}: column {name} has {pairs[name].null_count()} empty values.")
    if not pairs["pair_id"].dtype.is_integer():
        raise DataError(f"{where}: pair_id must be whole numbers, not {pairs['pair_id'].dtype}.")
    if pairs["pair_id"].n_unique() != pairs.height:
        twice = pairs.filter(pl.col("pair_id").is_duplicated())["pair_id"][0]
        raise DataError(f"{where}: pair_id {twice} occurs more than once.")
    if "role" in pairs.columns and not pairs["role"].is_in(ROLES).all():
        raise DataError(f"{where}: column role may hold only {' and '.join(ROLES)}.")
    try:
        users = dataset.users.encode(pairs["user_id"])
        objectives = dataset.items.encode(pairs["objective_id"])
    except UnknownIdError as error:
        raise UnknownIdError(f"{where}: {error}") from None
    known = dataset.sequences.take(users).contains(objectives)
    if known.any():
        row = pairs.row(int(np.flatnonzero(known)[0]), named=True)
        raise DataError(
            f"{where}: {int(known.sum())} objective(s) are already in the user's history, first "
            f"in pair {row['pair_id']} (user {row['user_id']!r}, objective "
            f"{row['objective_id']!r}); an objective must be new to the user."
        )
    return PairNumbers(pairs["pair_id"].to_numpy().astype(np.int64), users, objectives)


def write_pairs(pairs: pl.DataFrame, path: str | Path) -> None:
    """Write pairs atomically as .csv or .parquet, by the file's suffix."""
    kind = _kind(Path(path))
    with atomic_path(path) as temporary:
        if kind == ".csv":
            pairs.write_csv(temporary)
        else:
            pairs.write_parquet(temporary)


def read_pairs(path: str | Path, dataset: Dataset) -> pl.DataFrame:
    """Read pairs from .csv or .parquet and check them.

    Args:
        path: The file.
        dataset: The data the pairs belong to; ids in a CSV file take its id types.

    Raises:
        DataError: The file is missing, damaged, or does not fit the data.
        UnknownIdError: A user or an objective is not in the dataset.
    """
    path = Path(path)
    types = {
        "pair_id": pl.Int64(),
        "user_id": pl.Series(dataset.users.ids[:1]).dtype,
        "objective_id": pl.Series(dataset.items.ids[:1]).dtype,
    }
    try:
        if _kind(path) == ".csv":
            # As text first, so that an id such as 007 is not read as a number.
            pairs = pl.read_csv(path, infer_schema=False)
        else:
            pairs = pl.read_parquet(path)
        pairs = pairs.cast({name: to for name, to in types.items() if name in pairs.columns})
    except FileNotFoundError:
        raise DataError(f"{path}: no such file.") from None
    except (pl.exceptions.PolarsError, OSError, ValueError) as cause:
        raise DataError(f"{path}: cannot be read as pairs ({cause}).") from None
    encode_pairs(pairs, dataset, str(path))
    return pairs


def _kind(path: Path) -> str:
    if path.suffix not in (".csv", ".parquet"):
        raise DataError(f"{path}: pairs are stored as .csv or .parquet.")
    return path.suffix


def _draw_unseen(dataset: Dataset, eligible: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw for each user one of ``eligible`` that is not in the user's sequence: int64 [R]."""
    sequences = dataset.sequences
    # Sorted once: np.isin would go through all interactions anew in every round.
    seen = np.sort(_keys(sequences.row_of_value, sequences.values, len(dataset.items)))
    result_R = np.zeros(len(sequences), dtype=np.int64)
    pending = np.arange(len(sequences))
    for _ in range(REJECTION_ROUNDS):
        drawn = eligible[rng.integers(len(eligible), size=len(pending))]
        keys = _keys(pending, drawn, len(dataset.items))
        rejected = _among(keys, seen)
        result_R[pending[~rejected]] = drawn[~rejected]
        pending = pending[rejected]
        if not len(pending):
            break
    for row in pending:
        result_R[row] = _draw_one(dataset, sequences, int(row), eligible, rng)
    return result_R


def _draw_one(
    dataset: Dataset, sequences: Sequences, row: int, eligible: IntArray, rng: np.random.Generator
) -> int:
    unseen = np.setdiff1d(eligible, sequences.row(row))
    if not len(unseen):
        raise DataError(
            f"{dataset.name}: user {dataset.users.ids[row]!r} has seen every item that could be "
            "an objective; remove the user or lower the minimum of interactions."
        )
    return int(rng.choice(unseen))


def _among(keys: IntArray, ordered: IntArray) -> npt.NDArray[np.bool_]:
    """Return which keys are among others that are in ascending order."""
    if not len(ordered):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.equal(ordered[place], keys)


def _keys(rows: IntArray, items: IntArray, item_count: int) -> IntArray:
    """Return one number per (row, item)."""
    keys: IntArray = rows * (item_count + 1) + items
    return keys
