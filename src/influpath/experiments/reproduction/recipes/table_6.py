"""Table VI: settings of IRN, searched over the paper's ranges (section IV-D6)."""

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from matplotlib.figure import Figure

from influpath.errors import ConfigError, DivergedError
from influpath.evaluation import summarise
from influpath.experiments import reported
from influpath.experiments.dial_choice import VANILLA
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig, merged
from influpath.experiments.reproduction.recipe import (
    Recipe,
    evaluator_jobs,
    model_settings,
    path_settings,
)
from influpath.experiments.reproduction.search_figure import draw_search
from influpath.experiments.reproduction.search_words import search_words
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob, run_jobs
from influpath.recommenders.base import Recommender

if TYPE_CHECKING:
    from influpath.experiments.reproduction.search_space import Space

logger = logging.getLogger("influpath")

# What one nat of log(PPL) beyond the limit costs, in nats of IoI.  Pushing harder buys about four
# nats of IoI for one of log(PPL), so that going beyond never pays.
PENALTY = 10.0
METRICS = ("sr", "accepted_sr@20", "ioi", "log_ppl")

# The paper's names of what is searched, and IRN's; the learning rate is one of training.
FIELDS = {
    "l_max": "l_max",
    "batch_size": "batch_size",
    "d": "embedding_size",
    "d_user": "user_embedding_size",
    "layers": "layers",
    "w_t": "w_t",
    "heads": "heads",
}


class Table6(Recipe):
    """A search with optuna instead of the paper's grid, by the quality of paths.

    A trial trains IRN and plans for the dial pairs at neutral dials, w_t as trained.  The project's
    rule for dials, the best path with log(PPL) at most ``margin`` above vanilla's, becomes one
    number: the score is IoI, less ``PENALTY`` times what log(PPL) has beyond that limit, under the
    evaluator that does not judge.  Accepted SR@20, which comes first in the rule, has too few
    steps on so few pairs to steer a search.

    The paper's printed settings are the first trial.  Its best find, they, and the settings of
    this project are then measured, at equal epochs, on report pairs under the headline judge,
    which had no say in the search.  It is made with one seed: a search is no model.
    """

    name: ClassVar[str] = "table-6"
    title: ClassVar[str] = "Table VI: settings of IRN, searched"
    group: ClassVar[str] = "table-6"
    seeded: ClassVar[bool] = False

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return {
            **path_settings(config, VANILLA),
            "irn": model_settings("irn", config.models["irn"]),
            "margin": config.dials.margin,
            "search": config.search.model_dump(mode="json"),
            "printed": printed_settings(config.data.source),
        }

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``; the trials are trained as the search goes."""
        # Before anything is trained in vain.
        need_optuna()
        vanilla = bench.job("model", VANILLA.partition("/")[2])
        return [*evaluator_jobs(bench), vanilla, own_bench(bench).job("model", "irn")]

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Search, then measure what was found."""
        need_optuna()
        from influpath.experiments.reproduction import search

        config, judge = bench.config, bench.evaluators[1]
        plain = bench.judged(VANILLA, bench.dial_pairs, bench.dials_of(VANILLA), judge)
        vanilla = summarise({VANILLA: plain}, config.seed).means(VANILLA)["log_ppl"]
        scorer = Scorer(bench, judge, vanilla + config.dials.margin)
        printed = printed_settings(config.data.source)
        space = space_of(config)
        inputs = [
            self.settings(config) | {"search": config.search.model_dump(exclude={"trials"})},
            bench.dataset.fingerprint,
            bench.model_hash("evaluator", judge.name),
            bench.model_hash("model", VANILLA.partition("/")[2]),
            # Another version may draw other settings.
            version("optuna"),
        ]
        journal = bench.workspace.path("search/table-6", inputs, ".journal")
        tried = search.search(
            space, config.search, scorer.rate, journal, [printed] if printed else []
        )
        complete = [trial for trial in tried if trial.state == "complete"]
        if not complete:
            raise ConfigError(
                "table-6: every training of the search diverged; lower the printed range of lr."
            )
        best = max(complete, key=lambda trial: (trial.rungs[-1] or {})["score"])
        own = own_bench(bench)
        benches = {"best": bench_of(bench, best.settings, config.search.rungs[-1]), "project": own}
        if printed and tried[0].state == "complete":
            benches = {"paper": bench_of(bench, printed, config.search.rungs[-1]), **benches}
        return {
            "judge": judge.name,
            "pairs": bench.dial_pairs.height,
            "vanilla_log_ppl": round(vanilla, 6),
            "limit": round(scorer.limit, 6),
            "penalty": PENALTY,
            "space": {
                name: list(values) for name, values in {**space.values, **space.ranges}.items()
            },
            "ranges": list(space.ranges),
            "startup": search.STARTUP,
            "trials": [vars(trial) for trial in tried],
            "best": best.number,
            "importance": search.importance(space, tried, config.search.seed),
            "project": {
                "settings": paper_names(own.config.models["irn"]),
                "measured": scorer.measured(own),
            },
            "report": reported_rows(bench, benches),
        }

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw importances, and the trials' scores."""
        return draw_search(document)

    def words(self, document: Mapping[str, Any]) -> str:
        """Return the settings beside the paper's, what they are worth, and every trial."""
        return search_words(document)


def need_optuna() -> None:
    """Check that a search can be made.

    Raises:
        ConfigError: optuna is not installed.
    """
    if find_spec("optuna") is None:
        raise ConfigError(
            "table-6: the search needs optuna; install it with \"pip install 'influpath[search]'\"."
        )


class Scorer:
    """Trains and scores settings.

    Args:
        bench: Where from.
        judge: The evaluator that does not judge.
        limit: The log(PPL) that costs nothing.
    """

    def __init__(self, bench: Bench, judge: Recommender, limit: float) -> None:
        self.bench, self.judge, self.limit = bench, judge, limit
        self.workers = bench.config.workers

    def rate(self, batch: Sequence[dict[str, float]], epochs: int) -> list[dict[str, float] | None]:
        """Train settings side by side and measure each; None where training diverged."""
        benches = [bench_of(self.bench, settings, epochs) for settings in batch]
        jobs = [other.job("model", "irn") for other in benches]
        # Settings that are drawn twice are trained once.
        diverged = train(list({job.directory: job for job in jobs}.values()), self.workers)
        return [
            None if job.directory in diverged else self.measured(other)
            for job, other in zip(jobs, benches, strict=True)
        ]

    def measured(self, other: Bench) -> dict[str, float]:
        """Plan for the dial pairs and return the metrics and the score of the paths."""
        judgement = other.judged("irn", self.bench.dial_pairs, dials_of(other), self.judge)
        means = summarise({"irn": judgement}, self.bench.config.seed).means("irn")
        found = {name: round(means[name], 6) for name in METRICS}
        return {"score": round(score(means, self.limit), 6), **found}


def score(means: Mapping[str, float], limit: float) -> float:
    """Return IoI, less the penalty for what log(PPL) has beyond the limit."""
    return means["ioi"] - PENALTY * max(0.0, means["log_ppl"] - limit)


def train(jobs: Sequence[TrainingJob], workers: int) -> set[Path]:
    """Train several models; return the folders of those that diverged."""
    try:
        run_jobs(jobs, workers)
    except DivergedError:
        logger.info("a training diverged; the others of its batch go on")
    else:
        return set()
    diverged = set()
    for job in jobs:
        try:
            run_jobs([job], workers)
        except DivergedError:
            diverged.add(job.directory)
    return diverged


def space_of(config: ReproductionConfig) -> "Space":
    """Return the paper's ranges, without windows too short for the paths that are planned.

    Raises:
        ConfigError: No window is long enough.
    """
    from influpath.experiments.reproduction.search_space import Space

    printed = reported.printed()["table_6_hyperparameters"]["range"]
    horizon = model_settings("irn", config.models["irn"])["horizon"]
    values = {name: list(printed[name]) for name in FIELDS}
    values["l_max"] = [length for length in values["l_max"] if length >= horizon + 2]
    if not values["l_max"]:
        raise ConfigError(
            f"table-6: no printed l_max has room for a horizon of {horizon}; lower "
            "models.irn.horizon."
        )
    return Space(values, {"lr": tuple(printed["lr"])}, {"heads": "d"})


def printed_settings(source: str) -> dict[str, float] | None:
    """Return the settings the paper prints for a dataset, if it has them."""
    printed = reported.printed()["table_6_hyperparameters"].get(source)
    return printed and {name: printed[name] for name in (*FIELDS, "lr")}


def bench_of(bench: Bench, settings: Mapping[str, float], epochs: int) -> Bench:
    """Return the bench whose IRN has settings of the paper's Table VI; the others stay."""
    base = model_settings("irn", bench.config.models["irn"])
    changes: dict[str, Any] = {field: settings[name] for name, field in FIELDS.items()}
    changes["l_min"] = min(base["l_min"], int(settings["l_max"]) // 2)
    changes["training"] = {"learning_rate": settings["lr"], "epochs": epochs}
    return bench.with_irn(merged(base, changes), f"d {settings['d']:g}, L {settings['layers']:g}")


def own_bench(bench: Bench) -> Bench:
    """Return the bench with the project's IRN, trained for as many epochs as the last rung."""
    epochs = {"training": {"epochs": bench.config.search.rungs[-1]}}
    called = f"{bench.config.search.rungs[-1]} epochs"
    return bench.with_irn(merged(model_settings("irn", bench.config.models["irn"]), epochs), called)


def paper_names(irn: Mapping[str, Any]) -> dict[str, float]:
    """Return settings of IRN under the paper's names."""
    settings = {name: irn[field] for name, field in FIELDS.items()}
    return settings | {"lr": irn["training"]["learning_rate"]}


def dials_of(bench: Bench) -> dict[str, Any]:
    """Return neutral dials, with the w_t that IRN is trained with."""
    return NEUTRAL | {"w_t": float(bench.config.models["irn"]["w_t"])}


def reported_rows(bench: Bench, benches: Mapping[str, Bench]) -> dict[str, Any]:
    """Return what the headline judge says of several IRN on the fixed report pairs."""
    judgements = {
        name: other.judged("irn", bench.subset, dials_of(other), bench.judge)
        for name, other in benches.items()
    }
    evaluation = summarise(judgements, bench.config.seed)
    rows = evaluation.to_dict()["planners"]
    return {
        "judge": bench.judge.name,
        "pairs": bench.subset.height,
        "rows": {name: {metric: row[metric] for metric in METRICS} for name, row in rows.items()},
        "differences": {
            f"{a} minus {b}": {
                metric: evaluation.difference(a, b, metric, bench.config.seed).to_dict()
                for metric in METRICS
            }
            for a, b in (("best", "paper"), ("best", "project"))
            if b in rows
        },
    }
