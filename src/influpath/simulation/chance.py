"""Common random numbers: what chance decides for a user in a round, whoever plans.

Every number is a function of seed, pair, round and purpose alone: a hash, not a stream.  So it
depends neither on the batch nor on the order of the users nor on what was shown before, and two
planners meet the same luck with the same user in the same round.

Shape suffixes: B rows.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

UInts = npt.NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Purpose(IntEnum):
    """What a number decides."""

    ACCEPT = 1
    IGNORE = 2
    LEAVE = 3
    EVENT = 4
    EVENT_ITEM = 5


@dataclass(eq=False)
class Chance:
    """Random numbers of some users.

    Attributes:
        keys_B: What stands for seed and pair.
    """

    keys_B: UInts

    @classmethod
    def of(cls, seed: int | UInts, pairs_B: npt.NDArray[np.int64]) -> "Chance":
        """Return the chance of pairs.

        Args:
            seed: One seed, or one per row.
            pairs_B: Pair ids.
        """
        seed_B = np.broadcast_to(np.asarray(seed, dtype=np.uint64), pairs_B.shape)
        return cls(mixed(mixed(seed_B) ^ pairs_B.astype(np.uint64)))

    def uniform(self, rounds_B: npt.NDArray[np.int64], purpose: Purpose) -> npt.NDArray[np.float64]:
        """Return numbers in [0, 1), [B]; one per row, its round and the purpose."""
        where_B = rounds_B.astype(np.uint64) * np.uint64(256) + np.uint64(purpose)
        bits_B = mixed(self.keys_B ^ mixed(where_B))
        return (bits_B >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mixed(x: UInts) -> UInts:
    """Return one step of SplitMix64 (Steele, Lea and Flood, 2014): a bijection without pattern."""
    x = np.asarray(x, dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = x + GOLDEN
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
