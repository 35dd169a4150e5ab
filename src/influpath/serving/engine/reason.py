"""Why an item is shown next, in the words of ``planning/reasons.py``; nothing is read for it.

Shape suffixes: B rows, G categories.
"""

import numpy as np

from influpath.data.sequences import IntArray
from influpath.planning.reasons import Reason
from influpath.serving.engine.loaded import Loaded


def reasons(
    loaded: Loaded,
    led: bool,
    item_B: IntArray,
    target_B: IntArray,
    previous_B: IntArray,
    acceptance_B: list[float],
    rank_B: IntArray,
) -> list[str]:
    """Return why each item is shown.

    What it gains for the objective is not said: that would take another reading.

    Args:
        loaded: Whose model speaks.
        led: Whether it is the planner's, or else the plain recommender.
        item_B: What is shown.
        target_B: Where it leads to, 0 for nowhere.
        previous_B: The item before, 0 for none.
        acceptance_B: p(item), from 0 to 1.
        rank_B: Its rank.
    """
    return [
        Reason(*row).words
        for row in zip(
            (item_B == target_B).tolist(),
            acceptance_B,
            rank_B.tolist(),
            [None] * len(item_B),
            shared(loaded, item_B, previous_B),
            shared(loaded, item_B, target_B),
            near(loaded, led, item_B, previous_B),
            near(loaded, led, item_B, target_B),
            strict=True,
        )
    ]


def shared(loaded: Loaded, item_B: IntArray, other_B: IntArray) -> list[str | None]:
    """Return the categories that items have in common with others, "|" between them."""
    names = loaded.bundle.dataset.categories.names
    told_B = (other_B > 0) & (item_B != other_B)
    common_BG = loaded.category_IG[item_B - 1] & loaded.category_IG[np.maximum(other_B, 1) - 1]
    words: list[str | None] = [None] * len(item_B)
    for row in np.flatnonzero(common_BG.any(1) & told_B).tolist():
        words[row] = "|".join(names[place] for place in np.flatnonzero(common_BG[row]).tolist())
    return words


def near(loaded: Loaded, led: bool, item_B: IntArray, other_B: IntArray) -> list[int | None]:
    """Return which neighbour of the other item each item is; None where it is far."""
    return [
        loaded.neighbours(led, other).get(item) if other else None
        for item, other in zip(item_B.tolist(), other_B.tolist(), strict=True)
    ]
