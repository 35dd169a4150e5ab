"""Part ``reach``: training time until HR@10 is 0.25, for SASRec here and in the libraries.

All train on the histories without each user's last item, at the same size and learning rate, each
with its own loop and batches.  After every epoch (RecBole: after every half minute, its epochs are
long) the held-out item is ranked among all items that the user has not seen; only training counts
as time.  A library that is not there after several times as long is stopped; its ratio is a lower
bound then.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from influpath.benchmarks.config import BenchConfig
from influpath.benchmarks.epochs import EnoughError, Epoch, watched_epochs
from influpath.benchmarks.references import Reference, references
from influpath.benchmarks.rounds import rounded
from influpath.data.splits import Split
from influpath.evaluation.next_item import next_item_ranks
from influpath.recommenders.sasrec import SASRec
from influpath.training.progress import clock

logger = logging.getLogger("influpath.bench")

OWN = "SASRec"
LISTED = 10
# Training time between two looks, where a library can stop within an epoch.
SLICE_SECONDS = 30
MANY_EPOCHS = 1_000


class Curve:
    """HR@10 over training time.

    Args:
        name: Whose.
        goal: HR@10 that ends it.
        cap: Seconds of training that end it.
    """

    def __init__(self, name: str, goal: float, cap: float) -> None:
        self.name, self.goal, self.cap = name, goal, cap
        self.points: list[tuple[float, float]] = []

    def add(self, seconds: float, hit_rate: float) -> bool:
        """Add what so much more training came to; return whether that is the end."""
        spent = seconds + self.seconds
        self.points.append((spent, hit_rate))
        logger.info("reach: %s, HR@10 %.3f after %s", self.name, hit_rate, clock(spent))
        return hit_rate >= self.goal or spent >= self.cap

    def row(self, own: "Curve") -> dict[str, Any]:
        """Return the row for JSON: seconds to the goal, or spent without reaching it."""
        seconds, hit_rate = self.points[-1]
        ratio = None
        if own.reached and own is not self:
            ratio = rounded(seconds / own.seconds)
        return {
            "name": self.name,
            "unit": "s",
            "value": rounded(seconds),
            "reached": self.reached,
            "hr@10": rounded(hit_rate),
            "reference": None if ratio is None else OWN,
            "ratio": ratio,
            "note": "" if self.reached else f"stopped at HR@10 {hit_rate:.3f}: a lower bound",
            "curve": [(round(spent, 1), round(value, 4)) for spent, value in self.points],
        }

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return self.points[-1][0] if self.points else 0.0

    @property
    def reached(self) -> bool:
        """Whether it got to the goal."""
        return self.points[-1][1] >= self.goal


def measure_reach(config: BenchConfig, split: Split, folder: Path, work: Path) -> dict[str, Any]:
    """Return the part's rows, ratios and versions of the libraries.

    Args:
        config: Size, goal, cap.
        split: Histories and held-out items.
        folder: ``benchmarks/`` of the repository.
        work: A folder for files.
    """
    own = own_curve(config, split)
    with references(folder, split.train, work) as libraries:
        curves = [
            library_curve(library, config, split, config.reach_times[name] * own.seconds)
            for name, library in libraries.items()
        ]
        versions = {name: library.versions for name, library in libraries.items()}
    rows = [curve.row(own) for curve in (own, *curves)]
    return {
        "rows": rows,
        "ratios": {
            f"reach_vs_{name}": row["ratio"] for name, row in zip(libraries, rows[1:], strict=True)
        },
        "libraries": versions,
    }


def own_curve(config: BenchConfig, split: Split) -> Curve:
    """Train SASRec until it is there."""
    training = {
        **{"learning_rate": config.reach_rate, "schedule": "plateau", "epochs": MANY_EPOCHS},
        **{"patience": MANY_EPOCHS, "validate_every": MANY_EPOCHS},
    }
    model = SASRec(**config.compared, seed=config.seed, training=training)
    curve = Curve(OWN, config.reach_hr, 60 * config.reach_minutes)

    def look(epoch: Epoch) -> None:
        ranks = next_item_ranks(model, split)
        if curve.add(epoch.seconds, float((ranks <= LISTED).mean())):
            raise EnoughError

    with watched_epochs(each=look):
        model.fit(split.train)
    return curve


def library_curve(library: Reference, config: BenchConfig, split: Split, cap: float) -> Curve:
    """Let a library train its SASRec until it is there, or so many seconds."""
    curve = Curve(f"{OWN} of {library.name}", config.reach_hr, cap)
    done = False
    while not done:
        answer = library.ask(
            do="epoch",
            model="sasrec",
            size=config.compared,
            seed=config.seed,
            rate=config.reach_rate,
            seconds=SLICE_SECONDS,
        )
        done = curve.add(float(answer["seconds"]), listed_share(answer["top"], split))
    return curve


def listed_share(top: dict[str, list[int]], split: Split) -> float:
    """Return the share of users whose held-out item is among the ten that were listed.

    Args:
        top: Item numbers by user row (as text).
        split: Held-out items; users without one do not count.
    """
    rows = np.flatnonzero(split.held_out)
    hits = [int(split.held_out[row]) in top.get(str(row), []) for row in rows]
    return float(np.mean(hits))
