"""A search over settings with optuna that may be killed at any moment and loses nothing by it.

Trials come in batches, whose trainings run side by side.  What a batch tries follows from the seed
and the trials of the batches before it alone: sampler and pruner are made anew for every batch and
carry nothing hidden.  A trial enters the journal as one line when it is finished, so that none is
ever found there at work.  A search that is started again asks anew for the batch at work, gets the
same settings, and finds on disk whatever was trained for them.

optuna is wanted only here, and this module only where a search is made.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from influpath.experiments.reproduction.config import SearchConfig
from influpath.experiments.reproduction.search_space import Settings, Space
from influpath.training.progress import clock

logger = logging.getLogger("influpath")

# What was measured of settings, with the key "score"; None where the training diverged.
Measured = dict[str, float]
# Takes settings to be tried side by side, and the epochs of each; returns what came of each.
Rate = Callable[[Sequence[Settings], int], list[Measured | None]]

# Tried at random before the sampler learns.  Not a share of the trials, so that a longer search
# begins with the trials of a shorter one.
STARTUP = 8
# At every rung one in so many goes on.
HALVING = 2
# Importance: what sets the best quarter of the trials apart, and what shuffled scores would give.
TARGET_QUANTILE, SHUFFLES, FEWEST_TRIALS = 0.25, 200, 8


@dataclass(frozen=True)
class Tried:
    """A finished trial.

    Attributes:
        number: From 0.
        settings: What was tried.
        fixed: Whether it was given rather than drawn.
        state: "complete" went through every rung, "pruned" fell behind, "diverged" came to nothing.
        rungs: What was measured after each rung; None where the training diverged.
    """

    number: int
    settings: Settings
    fixed: bool
    state: Literal["complete", "pruned", "diverged"]
    rungs: list[Measured | None]

    @classmethod
    def of(cls, trial: FrozenTrial) -> "Tried":
        """Read a trial of the journal."""
        rungs = trial.user_attrs["rungs"]
        complete = trial.state == TrialState.COMPLETE
        return cls(
            number=trial.number,
            settings=trial.user_attrs["settings"],
            fixed="fixed_params" in trial.system_attrs,
            state="complete" if complete else "diverged" if rungs[-1] is None else "pruned",
            rungs=rungs,
        )


def search(
    space: Space,
    config: SearchConfig,
    rate: Rate,
    journal: Path,
    first: Sequence[Settings] = (),
) -> list[Tried]:
    """Try settings; return all trials in order.

    Every trial is measured after each rung of epochs; successive halving says which go on.

    Args:
        space: What may be tried.
        config: How many trials, how many at a time, rungs, seed.
        rate: Trains and measures; it must give the same for the same settings and epochs.
        journal: File of the finished trials, optuna's own format.  It must belong to this search:
            the same space, rate, seed, batch and rungs.
        first: Settings to try before any are drawn.
    """
    with quiet():
        record = open_journal(journal)
        began, batches = time.monotonic(), 0
        while len(found := finished(record)) < config.trials:
            whole = len(found) // config.batch * config.batch
            count = min(config.batch, config.trials - whole)
            study = batch_study(config.seed, found[:whole])
            for settings in first[whole : whole + count]:
                study.enqueue_trial(space.params_of(settings))
            run_batch(study, space, config, rate, count)
            # Those that a killed search had written already are left as they are.
            for trial in study.trials[len(found) : whole + count]:
                record.add_trial(trial)
            batches += 1
            for trial in study.trials[whole : whole + count]:
                logger.info("%s", line(Tried.of(trial), config))
            left = -(-(config.trials - whole - count) // config.batch)
            if left:
                seconds = (time.monotonic() - began) / batches * left
                done = whole + count
                logger.info(
                    "search: %d of %d trials, about %s left", done, config.trials, clock(seconds)
                )
        return [Tried.of(trial) for trial in found[: config.trials]]


def batch_study(seed: int, before: Sequence[FrozenTrial]) -> optuna.Study:
    """Return a study in memory that knows the finished batches, and nothing else."""
    state = np.random.SeedSequence([seed, len(before)]).generate_state(1)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=int(state[0]), n_startup_trials=STARTUP),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=HALVING),
    )
    study.add_trials(before)
    return study


def run_batch(
    study: optuna.Study, space: Space, config: SearchConfig, rate: Rate, count: int
) -> None:
    """Ask for a batch of trials and bring each to its end."""
    going = [study.ask(space.distributions()) for _ in range(count)]
    rungs: dict[int, list[Measured | None]] = {trial.number: [] for trial in going}
    for rung, epochs in enumerate(config.rungs):
        if not going:
            break
        measured = rate([space.settings_of(trial.params) for trial in going], epochs)
        for trial, found in zip(going, measured, strict=True):
            rungs[trial.number].append(found)
            if found is not None:
                # The pruner decides at 1, 2, 4, ...; what stands for a rung is its number.
                trial.report(found["score"], HALVING**rung)
        still = []
        for trial, found in zip(going, measured, strict=True):
            last = rung == len(config.rungs) - 1
            if found is not None and not last and not trial.should_prune():
                still.append(trial)
                continue
            trial.set_user_attr("settings", space.settings_of(trial.params))
            trial.set_user_attr("rungs", rungs[trial.number])
            if found is not None and last:
                study.tell(trial, found["score"])
            else:
                study.tell(trial, state=TrialState.PRUNED)
        going = still


def open_journal(path: Path) -> optuna.Study:
    """Open the journal, or begin one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mend(path)
    storage = JournalStorage(JournalFileBackend(str(path)))
    # Not create_study(load_if_exists=True), which adds a line every time.
    if optuna.get_all_study_names(storage):
        return optuna.load_study(storage=storage, study_name=None)
    return optuna.create_study(storage=storage, study_name=path.stem, direction="maximize")


def mend(path: Path) -> None:
    """Cut off a line that was not written to its end, which nothing could be added behind."""
    content = path.read_bytes() if path.is_file() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("rb+") as handle:
            handle.truncate(whole)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the finished trials."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


@contextmanager
def quiet() -> Iterator[None]:
    """Let optuna speak of nothing but trouble: progress is said here."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def line(tried: Tried, config: SearchConfig) -> str:
    """Return a trial as a line of progress."""
    settings = ", ".join(f"{name} {value:g}" for name, value in tried.settings.items())
    last = tried.rungs[-1]
    came = "diverged" if last is None else f"score {last['score']:.3f}"
    epochs = config.rungs[len(tried.rungs) - 1]
    pruned = ", pruned" if tried.state == "pruned" else ""
    return f"search: trial {tried.number + 1} ({settings}): {came} after {epochs} epochs{pruned}"


def importance(
    space: Space, tried: Sequence[Tried], seed: int, shuffles: int = SHUFFLES
) -> dict[str, Any] | None:
    """Return how far each setting sets the best quarter of the trials apart (PED-ANOVA).

    Trials count by their score after the first rung, which all of them have.

    Args:
        space: What was searched.
        tried: All trials.
        seed: Decides the shuffles.
        shuffles: How many.

    Returns:
        "settings", by name: "importance", its share of 1; and "chance", which it stays below in
        95% of shuffles of the scores among the trials.  "by_chance": the share of shuffles in
        which at least one setting does not.  None where there are too few trials, or all have the
        same score.
    """
    scored = [trial for trial in tried if trial.rungs[0] is not None]
    scores = np.array([trial.rungs[0]["score"] for trial in scored if trial.rungs[0] is not None])
    if len(scored) < FEWEST_TRIALS or np.ptp(scores) == 0:
        return None
    distributions = space.distributions()
    names = list(distributions)
    draws = [space.params_of(trial.settings) for trial in scored]
    # Only the order counts, and among equals that of the trials.
    ranks = scores.argsort(kind="stable").argsort().astype(np.float64)

    def shares(values: Sequence[float]) -> list[float]:
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            create_trial(params=draw, distributions=distributions, value=value)
            for draw, value in zip(draws, values, strict=True)
        )
        evaluator = PedAnovaImportanceEvaluator(target_quantile=TARGET_QUANTILE)
        found = get_param_importances(study, evaluator=evaluator, params=names)
        return [found[name] for name in names]

    rng = np.random.default_rng([seed, 0x1A9])
    with quiet():
        real = shares(ranks.tolist())
        chance = np.array([shares(rng.permutation(ranks).tolist()) for _ in range(shuffles)])
    limits = np.percentile(chance, 95, axis=0)
    return {
        "settings": {
            name: {"importance": round(share, 6), "chance": round(float(limit), 6)}
            for name, share, limit in zip(names, real, limits, strict=True)
        },
        "by_chance": float((chance > limits).any(axis=1).mean()),
    }
