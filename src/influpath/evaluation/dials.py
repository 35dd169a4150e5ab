"""The one rule by which dials are chosen.

Dials are chosen on the dial pairs, under another judge than the one that reports, so that no
report pair and no headline judge has a say in them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from influpath.errors import ResultError

Dial = TypeVar("Dial")

LOG_PPL_MARGIN = 0.8
NEEDED = ("accepted_sr@20", "ioi", "log_ppl")


@dataclass(frozen=True)
class DialChoice(Generic[Dial]):
    """The dial chosen and why.

    Attributes:
        dial: The key of the candidate chosen.
        reason: One sentence.
        qualified: The candidates within the limits, best first; empty if none was, in which case
            the smoothest was chosen.
    """

    dial: Dial
    reason: str
    qualified: tuple[Dial, ...]


def choose_dial(
    candidates: Mapping[Dial, Mapping[str, float]],
    vanilla_log_ppl: float,
    margin: float = LOG_PPL_MARGIN,
    worst_step_cap: float | None = None,
) -> DialChoice[Dial]:
    """Choose the highest accepted SR@20, then IoI, among candidates that are smooth enough.

    Args:
        candidates: Dial -> means by metric name, as ``Evaluation.means`` gives them, on the dial
            pairs.  Equal candidates: the smaller log(PPL), then the earlier one, is chosen.
        vanilla_log_ppl: log(PPL) of the vanilla planner on the same pairs under the same judge.
        margin: A candidate's log(PPL) may be this much above vanilla's, in nats.
        worst_step_cap: If given, the worst step may be at most this, in nats.

    Raises:
        ResultError: There is no candidate, one lacks a metric, vanilla has no log(PPL), or no
            candidate has any path.
    """
    if not candidates:
        raise ResultError("no dial was given to choose from.")
    needed = NEEDED if worst_step_cap is None else (*NEEDED, "worst_step")
    for dial, means in candidates.items():
        missing = [name for name in needed if name not in means]
        if missing:
            raise ResultError(f"dial {dial}: the means lack {', '.join(missing)}.")
    if not math.isfinite(vanilla_log_ppl):
        raise ResultError("the vanilla planner has no log(PPL) to measure the dials against.")
    limit = vanilla_log_ppl + margin
    # Comparisons with NaN, the log(PPL) of a planner that found no path, are false.
    qualified = [
        dial
        for dial, means in candidates.items()
        if means["log_ppl"] <= limit
        and (worst_step_cap is None or means["worst_step"] <= worst_step_cap)
    ]
    rule = f"log(PPL) at most {limit:.2f} (vanilla's {vanilla_log_ppl:.2f} + {margin:g})"
    if worst_step_cap is not None:
        rule += f" and worst step at most {worst_step_cap:.2f}"
    if qualified:
        qualified.sort(
            key=lambda dial: (
                -candidates[dial]["accepted_sr@20"],
                -candidates[dial]["ioi"],
                candidates[dial]["log_ppl"],
            )
        )
        best = qualified[0]
        reason = (
            f"highest accepted SR@20 ({candidates[best]['accepted_sr@20']:.3f}), then IoI "
            f"({candidates[best]['ioi']:.2f}), of {len(qualified)} candidate(s) with {rule}"
        )
        return DialChoice(best, reason, tuple(qualified))
    found = [dial for dial in candidates if math.isfinite(candidates[dial]["log_ppl"])]
    if not found:
        raise ResultError("no candidate found any path, so that none can be chosen.")
    smoothest = min(found, key=lambda dial: candidates[dial]["log_ppl"])
    reason = (
        f"none of {len(candidates)} candidate(s) has {rule}; this one has the smallest log(PPL), "
        f"{candidates[smoothest]['log_ppl']:.2f}"
    )
    return DialChoice(smoothest, reason, ())
