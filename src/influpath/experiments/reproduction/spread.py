"""Mean and standard deviation over seeds of every number in a result."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def spread(results: Sequence[Any]) -> Any:
    """Return the numbers of several results of the same shape as ``{mean, sd, by_seed}``.

    Args:
        results: One per seed.  Keys and list places that are not in all of them, and whatever is
            no number, are left out.
    """
    first = results[0]
    if all(isinstance(result, dict) for result in results):
        found = {
            key: spread([result[key] for result in results])
            for key in first
            if all(key in result for result in results)
        }
        return {key: value for key, value in found.items() if value is not None} or None
    if all(isinstance(result, list) and len(result) == len(first) for result in results):
        each = [spread(list(place)) for place in zip(*results, strict=True)]
        return each if any(value is not None for value in each) else None
    if all(isinstance(r, (int, float)) and not isinstance(r, bool) for r in results):
        values = np.array(results, dtype=np.float64)
        return {
            "mean": round(float(values.mean()), 6),
            "sd": round(float(values.std(ddof=1)), 6) if len(values) > 1 else None,
            "by_seed": [round(float(value), 6) for value in values],
        }
    return None
