"""Figure 8: the distribution of r_u over users, and whether it is learned at all."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from influpath.evaluation import METRICS, judge_paths, paired_difference
from influpath.evaluation.judging import Judgement
from influpath.experiments.figure_parts import BLUE, INK, SKY
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.drawing import note_below
from influpath.experiments.reproduction.impressionability import (
    correlation,
    description,
    held_out_losses,
    history_figures,
    initial_impressionability,
    shuffled_users,
)
from influpath.experiments.reproduction.markdown import NAMES, table
from influpath.experiments.reproduction.planner_rows import dials_text, sign
from influpath.experiments.reproduction.recipe import Recipe, path_settings, planner_jobs
from influpath.experiments.training_jobs import TrainingJob
from influpath.irn.model import IRN
from influpath.planning.algorithm import plan
from influpath.planning.parts import PlannerParts
from influpath.registry import make_planner

SIDES = ("own", "shuffled", "difference")
COMPARED = ("sr", "accepted_sr@20", "ioi", "log_ppl")


class Figure8(Recipe):
    """r_u over users, before and after training, and against the r_u of another user."""

    name: ClassVar[str] = "figure-8"
    title: ClassVar[str] = "Figure 8: distribution of the impressionability r_u"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return path_settings(config, "irn")

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, ("irn",))

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Describe r_u, and compare each user's own with another user's."""
        model = bench.models["irn"]
        assert isinstance(model, IRN)
        trained = model.impressionability().double().numpy()
        initial = initial_impressionability(model)
        seed = bench.config.seed
        shuffled = shuffled_users(model, seed)
        return {
            "judge": bench.judge.name,
            "dials": bench.dials_of("irn"),
            "trained": description(trained),
            "initial": description(initial),
            "kept": correlation(stats.pearsonr, initial, trained),
            "correlations": {
                name: correlation(stats.spearmanr, values, trained)
                for name, values in history_figures(bench.split.train).items()
            },
            "held_out": held_out_losses(bench.split.train, model, shuffled, seed),
            "paths": path_differences(bench, shuffled),
        }

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw the histogram with its normal fit, above that before training."""
        result = document["result"]
        figure = Figure(figsize=(5.6, 4.8))
        panels = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        titles = ("after training", "before training (same seed)")
        for axes, key, title, color in zip(
            panels, ("trained", "initial"), titles, (BLUE, SKY), strict=True
        ):
            draw_histogram(axes, result[key], color, hatch="" if key == "trained" else "///")
            own = result[key]
            axes.set_title(f"{title}: mean {own['mean']:.3f}, sd {own['sd']:.3f}", loc="left")
            axes.set_ylabel("users")
        if panels[0].get_lines():
            panels[0].legend(fontsize=9)
        panels[1].set_xlabel("r_u: added to the objective's attention logit at w_t = 1 (no unit)")
        note_below(figure, f"n = {result['trained']['n']:,} users; the two scales of users differ")
        return figure

    def words(self, document: Mapping[str, Any]) -> str:
        """Return whether r_u is normal, and whether it is the user's own."""
        result = document["result"]
        parts = [
            shapes_table(result),
            " ".join(about_shape(result)),
            "Whether r_u is learned: the trained IRN with every user's own r_u, against the same "
            "IRN with the r_u shuffled over users.",
            shuffle_table(result),
            " ".join(about_shuffling(result)),
            " ".join(about_correlations(result)),
        ]
        return "\n\n".join(part for part in parts if part)


def path_differences(bench: Bench, shuffled: IRN) -> dict[str, Any]:
    """Return the paths' metrics with each r_u, at the chosen dials on the fixed subset."""
    dials, train = bench.dials_of("irn"), bench.split.train
    # Planned here and not through the bench, whose store knows the model by its checksum.
    planner = make_planner("irn", PlannerParts({"irn": shuffled}, train), dials)
    paths = plan(planner, bench.subset, train, bench.config.max_length)
    judged: dict[str, Judgement] = {
        "own": bench.judge_asked(bench.on_subset("irn", dials, bench.judge))[0],
        "shuffled": judge_paths(bench.judge, bench.subset, paths, train),
    }
    return {
        **{name: bench.row(name, judgement, COMPARED) for name, judgement in judged.items()},
        "difference": {
            metric: paired_difference(
                METRICS[metric].function(judged["own"]),
                METRICS[metric].function(judged["shuffled"]),
                bench.config.seed,
                users=judged["own"].user_rows,
            ).to_dict()
            for metric in COMPARED
        },
        "pairs": bench.subset.height,
        "equal_paths": equal_paths(judged["own"], judged["shuffled"]),
    }


def equal_paths(one: Judgement, other: Judgement) -> int:
    """Return the number of pairs whose paths are the same."""
    return sum(
        np.array_equal(one.paths.row(pair), other.paths.row(pair)) for pair in range(len(one))
    )


def draw_histogram(axes: Axes, own: Mapping[str, Any], color: str, hatch: str) -> None:
    """Draw a histogram with the normal distribution of the same mean and spread."""
    edges = np.array(own["histogram"]["edges"])
    axes.stairs(
        own["histogram"]["counts"],
        edges,
        fill=True,
        facecolor=color,
        edgecolor=INK,
        alpha=0.75,
        hatch=hatch,
        linewidth=0.6,
    )
    if own["skewness"] is not None:
        x = np.linspace(edges[0], edges[-1], 200)
        expected = own["n"] * (edges[1] - edges[0]) * stats.norm.pdf(x, own["mean"], own["sd"])
        axes.plot(x, expected, color=INK, linestyle="--", linewidth=1.3, label="normal fit")


def shapes_table(result: Mapping[str, Any]) -> str:
    """Return both distributions side by side."""
    names = {"after training": "trained", "before training": "initial"}
    rows = []
    for name, key in names.items():
        own = result[key]
        test = own["normality"]
        rows.append(
            [
                name,
                f"{own['n']:,}",
                f"{own['mean']:.3f}",
                f"{own['sd']:.4f}",
                f"{own['low']:.3f} to {own['high']:.3f}",
                signed(own["skewness"]),
                signed(own["excess_kurtosis"]),
                f"{test['test']}, {p_text(test['p'])}" if test else "",
            ]
        )
    columns = ["r_u", "users", "mean", "sd", "range", "skewness", "excess kurtosis", "normal?"]
    return table(columns, rows)


def about_shape(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield whether r_u is normal, and how far it is from where it started."""
    own, before, test = result["trained"], result["initial"], result["trained"]["normality"]
    if test is None:
        yield "r_u hardly varies over users, so that there is no shape to test."
    else:
        verdict = "is rejected" if test["p"] < 0.05 else "is not rejected"
        yield (
            f"The paper says that r_u follows a normal distribution. Here normality {verdict} "
            f"({test['test']}, {p_text(test['p'])}, n = {test['n']:,})."
        )
    if before["normality"] is not None:
        p = p_text(before["normality"]["p"])
        yield "A normal shape alone says nothing: the user embeddings are drawn from one, " + (
            f"and even so the test rejects r_u before training ({p}): with so many users it sees "
            "departures that hardly matter, so skewness and kurtosis say more."
            if before["normality"]["p"] < 0.05
            else f"and before training normality is not rejected ({p})."
        )
    if before["sd"] > 0:
        yield (
            f"Training moves the mean from {before['mean']:.3f} to {own['mean']:.3f} and makes the "
            f"spread {own['sd'] / before['sd']:.1f} times as wide."
        )
    kept = result["kept"]
    if kept is not None:
        yield (
            f"The correlation of r_u before and after is {kept['value']:.2f} ({p_text(kept['p'])})."
        )


def shuffle_table(result: Mapping[str, Any]) -> str:
    """Return what a user's own r_u is worth."""
    loss, paths = result["held_out"], result["paths"]
    rows = [
        [
            "loss on held-out pieces (nats)",
            f"{loss['difference']['n']:,} users",
            *(fine_cell(loss[key]) for key in SIDES),
        ]
    ]
    rows += [
        [
            f"{NAMES[metric]} of the paths",
            f"{paths['pairs']:,} pairs",
            *(fine_cell(paths[key][metric]) for key in SIDES),
        ]
        for metric in COMPARED
    ]
    return table(["", "n", "own r_u", "shuffled r_u", "own - shuffled"], rows, 2)


def about_shuffling(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield whether a user's own r_u is better than another user's."""
    loss, paths = result["held_out"], result["paths"]
    found = loss["difference"]
    side = sign(found)
    if side:
        yield (
            "On pieces of the histories that did not train, a user's own r_u predicts "
            f"{'better' if side < 0 else 'worse'} than another user's, by "
            f"{abs(found['mean']):.2g} nats an item."
        )
    else:
        yield (
            "On pieces of the histories that did not train, a user's own r_u cannot be told apart "
            "from another user's."
        )
    told = [
        f"{NAMES[metric]} is {'higher' if sign(at) > 0 else 'lower'} with the user's own"
        for metric, at in paths["difference"].items()
        if sign(at)
    ]
    equal = f"{paths['equal_paths']:,} of {paths['pairs']:,} paths are the same item by item"
    yield (
        f"At the dials of Table III ({dials_text(result['dials'])}), {equal}; "
        + ("; ".join(told) or "no metric is told apart")
        + "."
    )


def about_correlations(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what r_u goes along with."""
    names = {
        "history_length": "the length of the history",
        "mean_popularity": "the mean popularity of its items",
    }
    for key, name in names.items():
        found = result["correlations"][key]
        if found is not None:
            yield (
                f"Spearman's correlation of r_u with {name}: {found['value']:.2f} "
                f"({p_text(found['p'])}, n = {found['n']:,})."
            )


def fine_cell(interval: Mapping[str, Any]) -> str:
    """Return ``mean [low, high]`` with digits for small differences; "" where undefined."""
    if interval["mean"] is None:
        return ""
    low, high = interval["ci95"]
    return f"{interval['mean']:.4f} [{low:.4f}, {high:.4f}]"


def p_text(p: float) -> str:
    """Return a p value as people read it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def signed(value: float | None) -> str:
    """Return a number with its sign; "" where it is undefined."""
    return "" if value is None else f"{value:+.2f}"
