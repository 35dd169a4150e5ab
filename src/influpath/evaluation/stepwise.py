"""How interest evolves along the path, step by step (paper IV-D5, Figure 9).

At step k, before the k-th item is shown, the *objective probability* is P(i_t | s_h + i_<k) and the
*item probability* P(i_k | s_h + i_<k).

Shape suffixes: P pairs, N path items of all pairs, S steps.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from influpath.evaluation.intervals import RESAMPLES, Interval, bootstrap_means
from influpath.evaluation.judging import FloatArray, Judgement

SCHEMA = {
    "step": pl.Int64,
    "quantity": pl.String,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n": pl.Int64,
}


def stepwise(
    judgement: Judgement,
    seed: int = 0,
    align: Literal["start", "arrival"] = "start",
    early_successes: bool = False,
    max_length: int | None = None,
    resamples: int = RESAMPLES,
) -> pl.DataFrame:
    """Return the mean curves of the objective and item probabilities.

    Args:
        judgement: What the judge says of one planner's paths.
        seed: Decides the bootstrap.
        align: "start" counts steps 1, 2, ... from the path's first item and takes all paths.
            "arrival" counts back from the objective (0 is the step that shows it, -1 the one
            before) and takes only the paths that show it.
        early_successes: With "start", keep paths that show the objective before the last
            possible step.  The paper leaves them out, since they end and so change which paths
            the later means are over.  "arrival" always keeps them.
        max_length: M; by default the length of the longest path.
        resamples: Number of bootstrap resamples.

    Returns:
        Frame ``step, quantity, mean, low, high, n``; quantity is objective_prob,
        objective_log_prob, item_prob or item_log_prob, low and high are the 95% interval over
        users, and n is the number of paths behind the mean.  Steps without paths are absent.
    """
    lengths = judgement.lengths
    if max_length is None:
        max_length = int(lengths.max(initial=0))
    early = judgement.reached & (lengths < max_length)
    if align == "arrival":
        kept, shift, first = judgement.reached, max_length - lengths, 1 - max_length
    elif align == "start":
        kept = np.ones(len(judgement), dtype=bool) if early_successes else ~early
        shift, first = np.zeros_like(lengths), 1
    else:
        raise ValueError(f"align is 'start' or 'arrival', not {align!r}")
    if int(lengths.max(initial=0)) > max_length:
        raise ValueError(f"a path is longer than max_length = {max_length}")
    row_N = judgement.paths.row_of_value
    step_N = np.arange(len(row_N)) - judgement.paths.offsets[:-1][row_N]
    column_N = step_N + shift[row_N]
    log_probs = {
        # The prefix before item k of row r is that many prefixes of earlier rows further on.
        "objective": judgement.objective_log_probs[np.arange(len(row_N)) + row_N],
        "item": judgement.item_log_probs,
    }
    parts = []
    for name, log_prob_N in log_probs.items():
        for quantity, value_N in (
            (f"{name}_prob", np.exp(log_prob_N)),
            (f"{name}_log_prob", log_prob_N),
        ):
            table_PS = np.full((len(judgement), max_length), np.nan)
            table_PS[row_N, column_N] = value_N
            parts.append(
                _curve(table_PS[kept], judgement.user_rows[kept], quantity, first, seed, resamples)
            )
    return pl.concat(parts)


def _curve(
    table_PS: FloatArray,
    users: npt.NDArray[np.int64],
    quantity: str,
    first: int,
    seed: int,
    resamples: int,
) -> pl.DataFrame:
    def row(step: int, at: Interval) -> tuple[int, str, float, float, float, int]:
        return step, quantity, at.mean, at.ci95[0], at.ci95[1], at.count

    points = bootstrap_means(table_PS, seed, resamples, users)
    rows = [row(first + n, point) for n, point in enumerate(points) if point.count]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
