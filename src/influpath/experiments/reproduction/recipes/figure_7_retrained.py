"""Figure 7 with w_t in training too: IRN is trained anew for every weight of the objective."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from influpath.evaluation import summarise
from influpath.experiments.figure_parts import BLUE, INK, VERMILLION, Look
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig, merged
from influpath.experiments.reproduction.drawing import AXES, GRID, metric_line, note_below
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, table
from influpath.experiments.reproduction.planner_rows import dials_text, sign
from influpath.experiments.reproduction.recipe import Recipe, path_settings, planner_jobs
from influpath.experiments.result import paired_differences
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob
from influpath.irn.config import IRNConfig
from influpath.irn.model import IRN

SHOWN = ("sr", "accepted_sr@20", "ioi", "log_ppl")
LOOKS = {"neutral": Look(BLUE, "o", "-"), "chosen": Look(VERMILLION, "s", "--")}


class Figure7Retrained(Recipe):
    """Every w_t of training, planned at the same w_t.

    Figure 7 turns w_t as a dial of one network.  Here a network is trained with each w_t, so that
    it knows that weight; but training may shrink or stretch r_u, and so undo what w_t says.
    """

    name: ClassVar[str] = "figure-7-retrained"
    title: ClassVar[str] = "Figure 7, IRN trained anew with several w_t"
    group: ClassVar[str] = "figure-7-retrained"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return {**path_settings(config, "irn"), "w_t": weights(config)}

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        own = [retrained(bench, w_t).job("model", "irn") for w_t in weights(bench.config)]
        return [*planner_jobs(bench, ("irn",)), *own]

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Plan with each network, at neutral dials and at those chosen for IRN, but for w_t."""
        values, seed = weights(bench.config), bench.config.seed
        dials = {"neutral": NEUTRAL, "chosen": {**NEUTRAL, **bench.dials_of("irn")}}
        points: list[dict[str, Any]] = [
            {"w_t": w_t, "r_u": impressionability(retrained(bench, w_t))} for w_t in values
        ]
        changes = {}
        for setting, base in dials.items():
            evaluation = summarise(
                {
                    f"{w_t:g}": retrained(bench, w_t).judged(
                        "irn", bench.subset, {**base, "w_t": w_t}, bench.judge
                    )
                    for w_t in values
                },
                seed,
            )
            rows = evaluation.to_dict()["planners"]
            for point in points:
                row = rows[f"{point['w_t']:g}"]
                point[setting] = {metric: row[metric] for metric in SHOWN}
            ends = [(f"{values[-1]:g}", f"{values[0]:g}")] if len(values) > 1 else []
            found = paired_differences(evaluation, ends, seed, SHOWN)
            changes[setting] = next(iter(found.values()), None)
        return {
            "judge": bench.judge.name,
            "pairs": bench.subset.height,
            "dials": {
                setting: {key: value for key, value in base.items() if key != "w_t"}
                for setting, base in dials.items()
            },
            "own_w_t": own_weight(bench.config),
            "points": points,
            "change": changes,
        }

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw one panel per metric, and what w_t r_u became."""
        result = document["result"]
        points = result["points"]
        x = [point["w_t"] for point in points]
        figure = Figure(figsize=(11.0, 3.6))
        panels = figure.subplots(1, len(SHOWN) + 1)
        for axes, metric in zip(panels, SHOWN, strict=False):
            for setting, look in LOOKS.items():
                intervals = [point[setting][metric] for point in points]
                metric_line(axes, x, intervals, look, f"{setting} dials, w_t as trained")
            axes.set_ylabel(AXES[metric])
            if metric in ("sr", "accepted_sr@20"):
                # A little below 0, where a mark would else be cut.
                axes.set_ylim(bottom=-0.04 * axes.get_ylim()[1])
        draw_weights(panels[-1], points)
        for axes in panels:
            # Even up to 1, where the paper's range is; the few beyond it are far apart.
            axes.set_xscale("symlog", linthresh=1.0, linscale=2.5)
            axes.set_xlim(-0.15, 1.25 * x[-1] + 0.1)
            axes.set_xticks(x, [f"{value:g}" for value in x], fontsize=8)
            axes.minorticks_off()
            axes.set_xlabel("w_t in training")
            axes.grid(axis="y", **GRID)
        handles, labels = panels[0].get_legend_handles_labels()
        more, names = panels[-1].get_legend_handles_labels()
        figure.legend(
            handles + more, labels + names, loc="outside upper left", ncols=4, fontsize=9.5
        )
        note_below(
            figure,
            f"n = {result['pairs']:,} pairs, judge {result['judge']}; bands: 95% intervals over "
            "users; one training each",
        )
        return figure

    def words(self, document: Mapping[str, Any]) -> str:
        """Return every point, what w_t changes, and what training made of it."""
        result = document["result"]
        own = result["own_w_t"]
        rows = [
            [
                f"{point['w_t']:g}" + (" (IRN itself)" if point["w_t"] == own else ""),
                setting,
                *(cell(point[setting][metric], metric) for metric in SHOWN),
            ]
            for setting in LOOKS
            for point in result["points"]
        ]
        parts = [
            f"{result['pairs']:,} pairs, judge {result['judge']}. IRN is trained once with each "
            f"w_t and planned with the same. Neutral dials otherwise: "
            f"{dials_text(result['dials']['neutral'])}; chosen: "
            f"{dials_text(result['dials']['chosen'])}.",
            table(["w_t", "other dials", *(NAMES[metric] for metric in SHOWN)], rows, text=2),
            "\n".join(f"- {sentence}" for sentence in findings(result)),
            weights_table(result["points"]),
            about_weights(result["points"]),
        ]
        return "\n\n".join(part for part in parts if part)


def weights(config: ReproductionConfig) -> list[float]:
    """Return every w_t of training, IRN's own among them, in rising order."""
    return sorted({own_weight(config), *map(float, config.retrained_w_t)})


def own_weight(config: ReproductionConfig) -> float:
    """Return the w_t that IRN itself is trained with."""
    return float(IRNConfig.parse(config.models["irn"], "models.irn").w_t)


def retrained(bench: Bench, w_t: float) -> Bench:
    """Return the bench whose IRN is trained with a w_t."""
    if w_t == own_weight(bench.config):
        return bench
    return bench.with_irn(merged(bench.config.models["irn"], {"w_t": w_t}), f"w_t {w_t:g}")


def impressionability(bench: Bench) -> dict[str, Any]:
    """Return mean and standard deviation of r_u over the users."""
    model = bench.models["irn"]
    assert isinstance(model, IRN)
    values = model.impressionability().double()
    return {
        "mean": round(float(values.mean()), 6),
        "sd": round(float(values.std()), 6) if len(values) > 1 else None,
        "n": len(values),
    }


def draw_weights(axes: Axes, points: list[dict[str, Any]]) -> None:
    """Draw w_t r_u after training, mean and standard deviation over users."""
    x = [point["w_t"] for point in points]
    axes.plot(x, x, color=INK, linestyle=":", linewidth=1.2, label="r_u = 1, where it starts")
    axes.errorbar(
        x,
        [point["w_t"] * point["r_u"]["mean"] for point in points],
        yerr=[point["w_t"] * (point["r_u"]["sd"] or 0.0) for point in points],
        color=INK,
        marker="D",
        markersize=5,
        linewidth=1.4,
        capsize=3,
        label="after training, mean and sd over users",
    )
    axes.set_ylabel("w_t r_u: added to the\nobjective's attention logit")


def findings(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the largest w_t changes against the smallest, and what the paper says of it."""
    first, last = (result["points"][end]["w_t"] for end in (0, -1))
    verbs = {1: "grows", -1: "falls"}
    for setting, row in result["change"].items():
        if row is None:
            continue
        told = [
            f"{NAMES[metric]} {verbs[sign(row[metric])]} by {cell(amount(row[metric]), metric)}"
            for metric in SHOWN
            if sign(row[metric])
        ]
        even = [NAMES[metric] for metric in SHOWN if not sign(row[metric])]
        sentence = f"At {setting} dials, from w_t {first:g} to {last:g}: "
        sentence += listed(told) or "no metric is told apart"
        yield sentence + (f"; not told apart: {listed(even)}." if told and even else ".")
        if setting == "neutral":
            said = {1: "So it does here.", 0: "Here it is not told apart.", -1: "Here it falls."}
            yield f"The paper says that SR grows with w_t (Figure 7). {said[sign(row['sr'])]}"


def amount(interval: Mapping[str, Any]) -> dict[str, Any]:
    """Return an interval that excludes 0 without its sign."""
    low, high = sorted(abs(end) for end in interval["ci95"])
    return {"mean": abs(interval["mean"]), "ci95": [low, high]}


def weights_table(points: list[dict[str, Any]]) -> str:
    """Return what r_u became, as a Markdown table."""
    return table(
        ["w_t", "mean r_u", "sd of r_u", "w_t times mean r_u"],
        [
            [
                f"{point['w_t']:g}",
                f"{point['r_u']['mean']:.3f}",
                "" if point["r_u"]["sd"] is None else f"{point['r_u']['sd']:.3f}",
                f"{point['w_t'] * point['r_u']['mean']:.3f}",
            ]
            for point in points
        ],
    )


def about_weights(points: list[dict[str, Any]]) -> str:
    """Return how much of the range of w_t is left after training."""
    products = [point["w_t"] * point["r_u"]["mean"] for point in points]
    asked = points[-1]["w_t"] - points[0]["w_t"]
    if not asked:
        return ""
    left = (max(products) - min(products)) / asked
    return (
        "r_u starts near 1 and is learned, so that training may take back what w_t gives: what "
        f"acts is w_t r_u. Over a range of {asked:g} in w_t its mean spans "
        f"{max(products) - min(products):.3f}, {left:.2f} of that range. With w_t = 0 r_u has no "
        "part in the network."
    )
