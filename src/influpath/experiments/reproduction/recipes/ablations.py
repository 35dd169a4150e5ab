"""What each choice in IRN and its dials is worth: one of them changed at a time.

Every choice is a recipe of its own, made when asked for; what is there shares a section and a
figure, ``ablations``.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from influpath.evaluation import METRICS, bootstrap_means, next_item_ranks, next_item_values
from influpath.evaluation.intervals import paired_difference
from influpath.evaluation.judging import FloatArray, Judgement
from influpath.experiments.dial_choice import VANILLA
from influpath.experiments.reproduction.ablation_results import (
    WORDS,
    ablation_words,
    draw_ablations,
    merged_ablations,
)
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.recipe import (
    Recipe,
    model_settings,
    path_settings,
    planner_jobs,
)
from influpath.experiments.result import about_model
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob
from influpath.irn.config import IRNConfig
from influpath.planning.irn import IRNDials
from influpath.planning.schedule import float_at_step, schedule_text

MEASURED = ("sr", "accepted_sr@20", "ioi", "ior", "log_ppl", "worst_step")
JUMP = "jump"
# The recommender of the separate guidance: the one that vanilla shows alone.
SEPARATE = VANILLA.partition("/")[2]
W_T = (0.0, 0.5, 2.0)
PACES = (1, 5)
# Choices of training; a dataset has those that its settings name.
VARIANTS = (
    "leak",
    "adjacent",
    "untied",
    "random-start",
    "objective-not-in-loss",
    "cut-once",
    "four-layers",
)
# Validation losses compare only between networks that these make no difference for: the pieces,
# what of them counts, and whether the network sees what it is to predict.
LOSS_FIELDS = ("l_max", "l_min", "seed", "objective_in_loss", "leak")

Dials = dict[str, Any]


class Ablation(Recipe):
    """IRN as it is minus IRN with one choice changed, paired by user."""

    part_of: ClassVar[str] = "ablations"

    @property
    def heading(self) -> str:
        """See ``Recipe.heading``."""
        return "Ablations: what each choice is worth"

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Plan and judge IRN, and IRN with the choice changed."""
        chosen = {**NEUTRAL, **bench.dials_of("irn")}
        dials = {"chosen": chosen, "neutral": dict(NEUTRAL)}
        own = {setting: judged(bench, values) for setting, values in dials.items()}
        return {
            "judge": bench.judge.name,
            "pairs": bench.report_pairs.height,
            "dials": dials,
            "irn": {
                "rows": {setting: row(found, bench) for setting, found in own.items()},
                "next_item": next_item(hidden_hits(bench), bench),
                "training": about_model(bench.models["irn"].history),
            },
            "training": {},
            "planning": {},
            **self.changed(bench, dials, own),
        }

    @abstractmethod
    def changed(
        self, bench: Bench, dials: Mapping[str, Dials], own: Mapping[str, Judgement]
    ) -> dict[str, Any]:
        """Return what the changes come to, under "training" or "planning"."""

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw what each choice is worth with its interval."""
        return draw_ablations(document)

    def merged(self, documents: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """See ``Recipe.merged``."""
        return merged_ablations(documents)

    def words(self, document: Mapping[str, Any]) -> str:
        """Return what each choice is worth, and what it does to the network."""
        return ablation_words(document, as_chosen(document))


class TrainingAblation(Ablation):
    """A choice of training, changed in a variant of IRN.

    The variant is trained anew, and planned both at neutral dials and at those chosen for IRN.

    Args:
        variant: Its name.
    """

    def __init__(self, variant: str) -> None:
        self.variant = variant
        self.name = self.group = f"ablation-{variant}"  # type: ignore[misc]
        self.title = f"Ablation: {WORDS[variant]}"  # type: ignore[misc]

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        variant = model_settings("irn", config.settings_of(self.variant))
        return {**path_settings(config, "irn"), "variant": variant}

    def available(self, config: ReproductionConfig) -> bool:
        """See ``Recipe.available``."""
        return self.variant in config.variants

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        variant = bench.variant(self.variant).job("model", "irn")
        return [*planner_jobs(bench, ("irn",)), variant]

    def changed(
        self, bench: Bench, dials: Mapping[str, Dials], own: Mapping[str, Judgement]
    ) -> dict[str, Any]:
        """See ``Ablation.changed``."""
        variant = bench.variant(self.variant)
        at = {setting: judged(variant, values) for setting, values in dials.items()}
        found = {
            "changes": bench.config.variants[self.variant],
            "rows": {setting: row(judgement, bench) for setting, judgement in at.items()},
            "worth": {
                setting: worth(own[setting], judgement, bench) for setting, judgement in at.items()
            },
            "next_item": next_item(hidden_hits(variant), bench, hidden_hits(bench)),
            "training": about_model(variant.models["irn"].history),
            "loss_compares": loss_compares(bench, variant),
        }
        return {"training": {self.variant: found}}


class DialAblation(Ablation):
    """A choice of planning: one dial changed, which needs no training.

    Args:
        dial: Its name.
        changes: Takes the chosen dials and M; returns other values of the dial, by what they are.
        version: Raised when there are other changes.
    """

    def __init__(
        self, dial: str, changes: Callable[[Dials, int], Mapping[str, Dials]], version: int = 2
    ) -> None:
        self.changes = changes
        self.version = version  # type: ignore[misc]
        self.name = self.group = f"ablation-{dial}"  # type: ignore[misc]
        self.title = f"Ablation: {dial.replace('_', ' ')}"  # type: ignore[misc]

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return path_settings(config, "irn")

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, ("irn",))

    def changed(
        self, bench: Bench, dials: Mapping[str, Dials], own: Mapping[str, Judgement]
    ) -> dict[str, Any]:
        """See ``Ablation.changed``."""
        found = {}
        for name, values in self.dials(dials["chosen"], bench.config.max_length).items():
            judgement = judged(bench, values)
            found[name] = {
                "dials": values,
                "rows": {"chosen": row(judgement, bench)},
                "worth": {"chosen": worth(own["chosen"], judgement, bench)},
            }
        return {"planning": found}

    def dials(self, chosen: Mapping[str, Any], max_length: int) -> dict[str, Dials]:
        """Return all dials with this one changed; those equal to the chosen are left out."""
        same = self.as_chosen(chosen, max_length)
        return {
            name: {**chosen, **change}
            for name, change in self.changes(dict(chosen), max_length).items()
            if name not in same
        }

    def as_chosen(self, chosen: Mapping[str, Any], max_length: int) -> list[str]:
        """Return the changes that change nothing, since the chosen dials have them."""
        own = IRNDials.parse(dict(chosen), "dials of irn")
        changes = self.changes(dict(chosen), max_length)
        return [
            name
            for name, change in changes.items()
            if IRNDials.parse({**chosen, **change}, name) == own
        ]


def as_chosen(document: Mapping[str, Any]) -> list[str]:
    """Return the changes of dials that no row shows, since IRN's chosen dials have them."""
    chosen, max_length = document["result"]["dials"]["chosen"], document["config"]["max_length"]
    return [
        name
        for ablation in ABLATIONS
        if isinstance(ablation, DialAblation)
        for name in ablation.as_chosen(chosen, max_length)
    ]


def guidance_changes(chosen: Dials, max_length: int) -> dict[str, Dials]:
    """Return guidance against another recommender, none, and spread otherwise over the path."""
    guidance = IRNDials.parse(chosen, "dials of irn").guidance
    steps = [float_at_step(guidance, k, max_length) for k in range(1, max_length + 1)]
    # Rounded: the mean of a ramp around 1 is 1.
    mean = round(sum(steps) / len(steps), 9)
    # The same guidance on average, spread otherwise.
    other: Any = mean
    shape = "constant"
    if max(steps) == min(steps) or mean == 1:
        # Even it already is, or would be none: from one end to the other, and not the way it goes.
        low = 1.0 if mean > 1 else 0.0
        ends = [low, 2 * mean - low]
        shape = "rising" if steps[0] >= steps[-1] else "falling"
        first, last = ends if shape == "rising" else reversed(ends)
        other = f"{first:g}..{last:g}"
    return {
        f"guidance against {SEPARATE}, not itself": {"guidance_model": SEPARATE},
        "guidance 1 (none)": {"guidance": 1.0},
        f"{shape} guidance {schedule_text(other)}": {"guidance": other},
    }


ABLATIONS: tuple[Ablation, ...] = (
    *(TrainingAblation(variant) for variant in VARIANTS),
    DialAblation("guidance", guidance_changes),
    DialAblation("pace", lambda chosen, m: {f"pace {p}": {"pace": p} for p in PACES}, version=3),
    DialAblation("floor", lambda chosen, m: {"no floor": {"floor": 0}}),
    DialAblation("lookahead", lambda chosen, m: {"no look-ahead": {"lookahead": 0.0}}),
    DialAblation("w_t", lambda chosen, m: {f"w_t {w_t:g}": {"w_t": w_t} for w_t in W_T}),
)


def judged(bench: Bench, dials: Dials) -> Judgement:
    """Plan for the report pairs and let the headline judge read."""
    return bench.judged("irn", bench.report_pairs, dials, bench.judge)


def values_of(judgement: Judgement) -> dict[str, FloatArray]:
    """Return every metric of every pair; "jump": the objective is shown at once."""
    found = {metric: METRICS[metric].function(judgement) for metric in MEASURED}
    found[JUMP] = (judgement.reached & (judgement.lengths == 1)).astype(np.float64)
    return found


def row(judgement: Judgement, bench: Bench) -> dict[str, Any]:
    """Return every mean with its interval."""
    return intervals(values_of(judgement), judgement, bench)


def worth(own: Judgement, other: Judgement, bench: Bench) -> dict[str, Any]:
    """Return IRN minus IRN with the choice changed, paired."""
    a, b = values_of(own), values_of(other)
    return intervals({metric: a[metric] - b[metric] for metric in a}, own, bench)


def intervals(
    values: Mapping[str, FloatArray], judgement: Judgement, bench: Bench
) -> dict[str, Any]:
    """Return ``mean, ci95, n`` of columns of numbers per pair."""
    columns = np.stack(list(values.values()), axis=1)
    found = bootstrap_means(columns, bench.config.seed, users=judgement.user_rows)
    return {name: at.to_dict() for name, at in zip(values, found, strict=True)}


def hidden_hits(bench: Bench) -> FloatArray:
    """Return whether each user's held-out item is in IRN's top 20, the objective hidden."""
    ranks = next_item_ranks(bench.models["irn"], bench.split)
    return next_item_values(ranks)["hr@20"]


def next_item(hits: FloatArray, bench: Bench, own: FloatArray | None = None) -> dict[str, Any]:
    """Return HR@20 with the objective hidden, and IRN's own minus it."""
    seed = bench.config.seed
    found = {"hr@20": bootstrap_means(hits[:, None], seed)[0].to_dict()}
    if own is not None:
        found["worth"] = paired_difference(own, hits, seed).to_dict()
    return found


def loss_compares(bench: Bench, variant: Bench) -> bool:
    """Return whether a variant's validation loss means the same as IRN's."""
    a, b = (
        IRNConfig.parse(each.config.models["irn"], "irn").model_dump() for each in (bench, variant)
    )
    return all(a[field] == b[field] for field in LOSS_FIELDS)
