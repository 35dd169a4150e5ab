"""Planners in the closed loop: dials chosen on dial users, then everyone meets the report users."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from influpath.data.simulated import SimulatedWorld
from influpath.evaluation import fixed_subset
from influpath.experiments.closed_loop.config import (
    Driver,
    LoopSettings,
    SimulateConfig,
    combinations,
)
from influpath.experiments.closed_loop.document import write_document
from influpath.experiments.run import Run
from influpath.planning.last_offer import LastOfferPlanner
from influpath.planning.open_loop import OpenLoopPlanner
from influpath.planning.parts import PlannerParts
from influpath.planning.schedule import schedule_text
from influpath.recommenders.base import Recommender
from influpath.registry import make_planner
from influpath.simulation.judge_users import JudgeUserModel
from influpath.simulation.loop import simulate
from influpath.simulation.outcomes import Outcomes
from influpath.simulation.truth_users import TruthUserModel
from influpath.simulation.users import UserModel
from influpath.simulation.visits import Visits

logger = logging.getLogger("influpath")

FORMAT = "influpath-simulate-1"
FIXED, ADAPTIVE = "", ", adaptive"
OPEN_LOOP, LAST_OFFER = ", open loop", ", objective last"
BATCH = 512


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        label: The planner.
        mode: ``FIXED``, ``ADAPTIVE`` (learns how hard each user may be pushed), ``OPEN_LOOP``
            (without re-planning) or ``LAST_OFFER`` (the objective in the last round).
    """

    label: str
    mode: str = FIXED

    @property
    def name(self) -> str:
        """What stands in tables."""
        return self.label + self.mode


class ClosedLoop:
    """The closed loop of a run; what was done is not done again.

    Args:
        run: Models, evaluators and pairs.
    """

    def __init__(self, run: Run) -> None:
        assert isinstance(run.config, SimulateConfig)
        self.run = run
        self.settings: LoopSettings = run.config.simulate

    @property
    def rows(self) -> list[Row]:
        """The rows of the table."""
        return [
            Row(label, mode)
            for label in self.settings.planners
            for mode, wanted in (
                (FIXED, True),
                (ADAPTIVE, label in self.settings.adaptive),
                (OPEN_LOOP, label in self.settings.open_loop),
                (LAST_OFFER, label in self.settings.last_offer),
            )
            if wanted
        ]

    @cached_property
    def report_pairs(self) -> pl.DataFrame:
        """The pairs of the table."""
        return self._some(self.run.report_pairs, self.settings.users)

    @cached_property
    def dial_pairs(self) -> pl.DataFrame:
        """The pairs that choose dials."""
        return self._some(self.run.dial_pairs, self.settings.dial_users)

    def _some(self, pairs: pl.DataFrame, count: int) -> pl.DataFrame:
        return fixed_subset(pairs, count or pairs.height, self.run.config.seed)

    def users(self, driver: Driver, judge: Recommender | None = None) -> UserModel:
        """Return the users of a driver; of another judge than the headline one where given."""
        if driver == "truth":
            return self.true_users
        return JudgeUserModel(judge or self.run.judge, self.settings.judge_users)

    @cached_property
    def true_users(self) -> TruthUserModel:
        """The users of the simulated world."""
        data = self.run.config.data
        world = SimulatedWorld.parse(data.options, "data.options")
        return TruthUserModel(world.truth(self.run.dataset), self.run.dataset)

    def visits(
        self,
        row: Row,
        dials: dict[str, Any],
        users: UserModel,
        pairs: pl.DataFrame,
    ) -> Visits:
        """Let a planner meet users, or read what happened before with the same inputs."""
        run, settings = self.run, self.settings
        label, dials, model = run.identity(row.label, dials, run.judge)
        driven_by: Any = users.name
        if isinstance(users, JudgeUserModel):
            driven_by = [run.model_hash("evaluator", users.name), users.config.model_dump()]
        learned = settings.sensitivity if row.mode == ADAPTIVE else None
        inputs = [
            *(label, dials, model, row.mode, driven_by, settings.loop.model_dump()),
            learned.model_dump() if learned else None,
            run.dataset.fingerprint,
            pairs.select("pair_id", "user_id", "objective_id").write_csv(),
        ]
        stem = f"visits/{row.name.replace('/', '-').replace(', ', '-').replace(' ', '-')}"
        path = run.workspace.path(stem, inputs, ".parquet")
        if not path.exists():
            parts = PlannerParts(run.models, run.split.train, run.judge)
            planner = make_planner(label, parts, dials)
            if row.mode == OPEN_LOOP:
                planner = OpenLoopPlanner(planner)
            elif row.mode == LAST_OFFER:
                planner = LastOfferPlanner(planner)
            with run.workspace.timed(f"{path.stem}, {pairs.height} users, {users.name}"):
                simulate(
                    planner,
                    users,
                    pairs,
                    run.split.train,
                    settings.loop,
                    learned,
                    BATCH,
                    progress_of(f"{row.name} ({users.name})", pairs.height),
                ).write(path)
        return Visits.read(path)

    def outcomes(self, driver: Driver) -> Outcomes:
        """Let every planner meet the report users."""
        users = self.users(driver)
        visits = {
            row.name: self.visits(row, self.dials[row.name], users, self.report_pairs)
            for row in self.rows
        }
        return Outcomes.of(
            visits, self.report_pairs, self.settings.loop.rounds, self.settings.plain
        )

    # Dials ------------------------------------------------------------------------------------

    @property
    def dials(self) -> dict[str, dict[str, Any]]:
        """Every row's dials: chosen where its planner has a grid, else as in the run.

        Without re-planning, or with a last offer, a planner has the dials that it has else.
        """
        found = {}
        for row in self.rows:
            chosen = self.choices.get(row.name if row.mode == ADAPTIVE else row.label)
            found[row.name] = chosen["chosen"] if chosen else self.run.dials_of(row.label)
        return found

    @cached_property
    def choices(self) -> dict[str, dict[str, Any]]:
        """Dials by row, chosen in the loop with the dial users under the judge that does not judge.

        The rule: of the candidates with at most ``margin`` more leaving than the plain
        recommender, the one with the most arrivals; where there is none, the least leaving.
        """
        if not self.settings.grids:
            return {}
        users = self.users("judge", self.run.evaluators[1])
        plain = Row(self.settings.plain)
        visits = self.visits(plain, self.run.dials_of(plain.label), users, self.dial_pairs)
        limit = self.means(visits)["left"] + self.settings.margin
        return {
            row.name: self.choose(row, combinations(self.settings.grids[row.label]), users, limit)
            for row in self.rows
            if row.label in self.settings.grids and row.mode in (FIXED, ADAPTIVE)
        }

    def choose(
        self, row: Row, candidates: list[dict[str, Any]], users: UserModel, limit: float
    ) -> dict[str, Any]:
        """Try every candidate; return their means, the choice and the reason."""
        tried = []
        for dials in candidates:
            means = self.means(self.visits(row, dials, users, self.dial_pairs))
            tried.append({"dials": dials, "means": means})
            logger.info("%s, %s: %s", row.name, dials_text(dials), words_of(means))
        fit = [one for one in tried if one["means"]["left"] <= limit]
        if fit:
            best = max(fit, key=lambda one: (one["means"]["arrived"], -one["means"]["left"]))
            reason = (
                f"the most arrivals of {len(fit)} candidate(s) of {len(tried)} with at most "
                f"{limit:.3f} leaving"
            )
        else:
            best = min(tried, key=lambda one: one["means"]["left"])
            reason = f"none of {len(tried)} candidate(s) has at most {limit:.3f} leaving; the least"
        return {
            "driver": users.name,
            "pairs": self.dial_pairs.height,
            "chosen": best["dials"],
            "reason": reason,
            "candidates": tried,
        }

    def means(self, visits: Visits) -> dict[str, float]:
        """Return the means that dials are chosen by."""
        found = Outcomes.of({"": visits}, self.dial_pairs, self.settings.loop.rounds).values[""]
        return {
            name: round(float(found[name].mean()), 6) for name in ("arrived", "left", "rejected")
        }

    # Result -----------------------------------------------------------------------------------

    @property
    def result_path(self) -> Path:
        """Where the result goes."""
        given = self.settings.result
        return Path(given) if given else self.run.workspace.root / "simulate.json"

    def write(self) -> dict[str, Any]:
        """Do all that is left, write the result and return it."""
        run, settings = self.run, self.settings
        run.train()
        began = time.monotonic()
        compared = tuple(row.name for row in self.rows if row.label == "irn")
        drivers = {}
        for driver in settings.drivers:
            outcomes = self.outcomes(driver)
            drivers[driver] = {
                "users": self.users(driver).name,
                **outcomes.to_dict(run.config.seed, compared),
            }
        found = {
            "settings": settings.model_dump(mode="json"),
            "data": {
                "source": run.config.data.source,
                "preset": run.config.data.preset,
                "fingerprint": run.dataset.fingerprint,
                **run.dataset.stats(),
            },
            "drivers": drivers,
            "dials": self.dials,
            "choices": self.choices,
        }
        return write_document(self.result_path, FORMAT, run, found, began)


def progress_of(name: str, total: int) -> Callable[[int], None]:
    """Return what says how far a loop is, and how long it will take."""
    began = time.monotonic()

    def say(done: int) -> None:
        seconds = time.monotonic() - began
        left = seconds / done * (total - done)
        logger.info("%s: %d/%d users, %.0f s, %.0f s left", name, done, total, seconds, left)

    return say


def dials_text(dials: dict[str, Any]) -> str:
    """Return dials as people read them."""
    return ", ".join(f"{name} {schedule_text(value)}" for name, value in dials.items())


def words_of(means: dict[str, float]) -> str:
    """Return means in words."""
    return ", ".join(f"{name} {value:.3f}" for name, value in means.items())
