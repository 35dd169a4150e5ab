"""Figure 7: success and smoothness against aggressiveness, one dial at a time."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from influpath.evaluation import METRICS, bootstrap_means, paired_difference
from influpath.evaluation.judging import Judgement
from influpath.experiments.figure_parts import INK, looks
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.drawing import AXES, GRID, metric_line, note_below
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, table
from influpath.experiments.reproduction.planner_rows import dial_text, dials_text, sign
from influpath.experiments.reproduction.recipe import Recipe, path_settings, planner_jobs
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob
from influpath.irn.attention_share import even_share, objective_share
from influpath.irn.model import IRN
from influpath.planning.irn import IRNDials
from influpath.planning.schedule import at_step, float_at_step

logger = logging.getLogger("influpath")

# The dials in the order of the panels, and whose they are.
PLANNER_OF = {
    "k": "rec2inf/sasrec",
    "w_t": "irn",
    "guidance": "irn",
    "pace": "irn",
    "floor": "irn",
}
PLANNERS = tuple(dict.fromkeys(PLANNER_OF.values()))
SHOWN = ("sr", "accepted_sr@20", "log_ppl", "ioi")
# So many values of a dial can be written side by side.
UPRIGHT = 5
DRAWN = ("sr", "accepted_sr@20", "log_ppl")
# The paper's w_t, which it varies with the other dials neutral.
PAPER_W_T = (0.0, 0.25, 0.5, 0.75, 1.0)


class Figure7(Recipe):
    """Each dial is varied alone; the others stay as chosen."""

    name: ClassVar[str] = "figure-7"
    title: ClassVar[str] = "Figure 7: success and smoothness against aggressiveness"
    version: ClassVar[int] = 2

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        swept = config.model_dump(mode="json")["figure_7"]
        return {**path_settings(config, *PLANNERS), "figure_7": swept}

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, PLANNERS)

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Plan and judge with every value of every dial."""
        swept = bench.config.model_dump(mode="json")["figure_7"]
        chosen = {label: bench.dials_of(label) for label in PLANNERS}
        dials = {}
        asked = [
            (label, {**chosen[label], dial: value})
            for dial, label in PLANNER_OF.items()
            for value in swept[dial]
        ]
        found = judged(bench, asked)
        for dial, label in PLANNER_OF.items():
            judgements = []
            points = []
            for value in swept[dial]:
                judgements.append(next(found))
                row = {"value": value, **bench.row(label, judgements[-1], SHOWN)}
                if dial == "w_t":
                    row["attention"] = attention(bench, {**chosen[label], dial: value})
                points.append(row)
                logger.info("%s: %s %s", self.name, dial, value_text(dial, value))
            dials[dial] = {
                "planner": label,
                "points": points,
                "change": change(judgements, bench.config.seed),
            }
        return {
            "judge": bench.judge.name,
            "pairs": bench.subset.height,
            "chosen": chosen,
            "reference": {
                label: bench.row(label, judgement, SHOWN)
                for label, judgement in zip(chosen, judged(bench, chosen.items()), strict=True)
            },
            "even_attention": attention_of_an_item(bench, chosen["irn"]),
            "dials": dials,
            "as_in_the_paper": as_in_the_paper(bench),
        }

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw one column per dial and one row per metric, with 95% bands."""
        result = document["result"]
        styles = looks(PLANNERS)
        figure = Figure(figsize=(2.15 * len(result["dials"]) + 0.6, 6.4))
        panels = figure.subplots(len(DRAWN), len(result["dials"]), sharey="row", squeeze=False)
        for column, (dial, sweep) in enumerate(result["dials"].items()):
            label, points = sweep["planner"], sweep["points"]
            for axes, metric in zip(panels[:, column], DRAWN, strict=True):
                intervals = [point[metric] for point in points]
                metric_line(axes, range(len(points)), intervals, styles[label])
                reference_line(axes, result["reference"][label][metric])
                axes.set_xticks(
                    range(len(points)),
                    [value_text(dial, point["value"]) for point in points],
                    rotation=0 if len(points) <= UPRIGHT else 60,
                )
                axes.tick_params(axis="x", labelsize=8.5, labelbottom=metric == DRAWN[-1])
                axes.margins(x=0.12)
                axes.grid(axis="y", **GRID)
            panels[0, column].set_title(f"{label}\n{dial}", fontsize=9.5)
        for axes, metric in zip(panels[:, 0], DRAWN, strict=True):
            axes.set_ylabel(AXES[metric])
            if metric != "log_ppl":
                axes.set_ylim(bottom=0)
        note_below(
            figure,
            f"n = {result['pairs']:,} pairs, judge {result['judge']}; bands: 95% intervals over "
            "users; dotted: the planner at the dials of Table III",
        )
        return figure

    def words(self, document: Mapping[str, Any]) -> str:
        """Return every point, what each dial changes, and where the attention goes."""
        result = document["result"]
        lines = [
            [
                f"{sweep['planner']}, {dial} {value_text(dial, point['value'])}",
                *(cell(point[metric], metric) for metric in SHOWN),
            ]
            for dial, sweep in result["dials"].items()
            for point in sweep["points"]
        ]
        chosen = "; ".join(f"{label}: {dials_text(own)}" for label, own in result["chosen"].items())
        parts = [
            f"{result['pairs']:,} pairs, judge {result['judge']}. One dial is varied at a time; "
            f"the others are as in Table III ({chosen}).",
            table(["", *(NAMES[metric] for metric in SHOWN)], lines),
            "\n".join(f"- {sentence}" for sentence in findings(result)),
            about_attention(result),
            about_the_papers_range(result),
            "The paper maps its levels of k and w_t onto one axis and says that SR grows with "
            f"both. {as_said(result)}The two have no common scale, so no level of one is compared "
            "with a level of the other here; the frontier compares planners at equal log(PPL).",
        ]
        return "\n\n".join(part for part in parts if part)


def judged(bench: Bench, asked: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[Judgement]:
    """Plan on the fixed subset with planners and their dials, and let the headline judge read."""
    return bench.judge_all([bench.on_subset(label, dials, bench.judge) for label, dials in asked])


def as_in_the_paper(bench: Bench) -> dict[str, Any]:
    """Return IRN's metrics at the paper's w_t, all other dials neutral."""
    judgements = list(judged(bench, [("irn", {**NEUTRAL, "w_t": w_t}) for w_t in PAPER_W_T]))
    return {
        "points": [
            {"value": w_t, **bench.row("irn", judgement, SHOWN)}
            for w_t, judgement in zip(PAPER_W_T, judgements, strict=True)
        ],
        "change": change(judgements, bench.config.seed),
    }


def change(judgements: list[Judgement], seed: int) -> dict[str, Any]:
    """Return the last point minus the first, paired by user."""
    first, last = judgements[0], judgements[-1]
    return {
        metric: paired_difference(
            METRICS[metric].function(last),
            METRICS[metric].function(first),
            seed,
            users=first.user_rows,
        ).to_dict()
        for metric in SHOWN
    }


def attention(bench: Bench, dials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objective's share of IRN's attention at the first step.

    Returns:
        ``mean, ci95, n`` of the mean over layers and heads, and ``by_layer``, the means of each.
    """
    asked = IRNDials.parse(dict(dials), "dials of irn")
    model, rows = irn_of(bench), subset_rows(bench)
    share_RXH = objective_share(
        model,
        bench.split.train.sequences.take(rows),
        model.items.encode(bench.subset["objective_id"].to_list()),
        model.users.encode(bench.subset["user_id"].to_list(), unknown="mark"),
        bench.config.max_length,
        float_at_step(asked.w_t, 1, bench.config.max_length),
        at_step(asked.pace, 1),
    )
    by_layer_RX = share_RXH.mean(dim=2).double().numpy()
    columns_RK = np.concatenate([by_layer_RX.mean(axis=1, keepdims=True), by_layer_RX], axis=1)
    whole, *layers = bootstrap_means(columns_RK, bench.config.seed, users=rows)
    return {**whole.to_dict(), "by_layer": [layer.mean for layer in layers]}


def attention_of_an_item(bench: Bench, dials: Mapping[str, Any]) -> float:
    """Return the objective's share if it were like any item that is seen, on average."""
    pace = at_step(IRNDials.parse(dict(dials), "dials of irn").pace, 1)
    histories = bench.split.train.sequences.take(subset_rows(bench))
    share_R = even_share(irn_of(bench), histories, bench.config.max_length, pace)
    return float(share_R.double().mean())


def irn_of(bench: Bench) -> IRN:
    """Return the fitted IRN."""
    model = bench.models["irn"]
    assert isinstance(model, IRN)
    return model


def subset_rows(bench: Bench) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the training sequences' rows of the subset's users."""
    return bench.split.train.rows_of(bench.subset["user_id"].to_list())


def value_text(dial: str, value: Any) -> str:
    """Return a dial's value as people read it."""
    return "none" if dial == "floor" and value == 0 else dial_text(value)


def reference_line(axes: Axes, interval: Mapping[str, Any]) -> None:
    """Draw the planner at the dials of the tables, to compare with."""
    if interval["mean"] is not None:
        axes.axhline(interval["mean"], color=INK, linestyle=":", linewidth=1.0)


def findings(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each dial changes from its first value to its last."""
    for dial, sweep in result["dials"].items():
        first, last = (value_text(dial, sweep["points"][end]["value"]) for end in (0, -1))
        if len(sweep["points"]) < 2:
            continue
        yield f"{sweep['planner']}, {dial} from {first} to {last}: {change_words(sweep['change'])}."


def change_words(change: Mapping[str, Any]) -> str:
    """Return what grows and what falls from the first value of a dial to its last."""
    verbs = {1: "grows", -1: "falls"}
    told = [
        f"{NAMES[metric]} {verbs[sign(at)]} by {cell(absolute(at), metric)}"
        for metric, at in change.items()
        if sign(at)
    ]
    even = [NAMES[metric] for metric, at in change.items() if not sign(at)]
    sentence = listed(told) or "no metric is told apart"
    return f"{sentence}; not told apart: {listed(even)}" if told and even else sentence


def about_the_papers_range(result: Mapping[str, Any]) -> str:
    """Return what w_t does over the paper's range, where it has no other dial."""
    own = result["as_in_the_paper"]
    rows = [
        [value_text("w_t", point["value"]), *(cell(point[metric], metric) for metric in SHOWN)]
        for point in own["points"]
    ]
    first, last = (value_text("w_t", own["points"][end]["value"]) for end in (0, -1))
    return (
        "As the paper does it, with all other dials neutral:\n\n"
        + table(["w_t", *(NAMES[metric] for metric in SHOWN)], rows)
        + f"\n\nFrom w_t {first} to {last}: {change_words(own['change'])}."
    )


def as_said(result: Mapping[str, Any]) -> str:
    """Say whether SR grows with k and, over the paper's range, with w_t."""
    here = {1: "grows", 0: "is not told apart", -1: "falls"}
    own = sign(result["as_in_the_paper"]["change"]["sr"])
    clauses = [f"with w_t, the other dials neutral, it {here[own]}"]
    if "k" in result["dials"]:
        clauses.insert(0, f"with k it {here[sign(result['dials']['k']['change']['sr'])]}")
    return f"Here {listed(clauses)}. "


def absolute(interval: Mapping[str, Any]) -> dict[str, Any]:
    """Return an interval that excludes 0 as an amount."""
    low, high = interval["ci95"]
    return {
        "mean": abs(interval["mean"]),
        "ci95": [min(abs(low), abs(high)), max(abs(low), abs(high))],
    }


def about_attention(result: Mapping[str, Any]) -> str:
    """Return how much of the attention the objective has at each w_t."""
    points = [point for point in result["dials"]["w_t"]["points"] if "attention" in point]
    if not points:
        return ""
    shares = table(
        ["w_t", "the objective's share of attention", "by layer"],
        [
            [
                value_text("w_t", point["value"]),
                cell(point["attention"], "sr"),
                ", ".join(f"{layer:.3f}" for layer in point["attention"]["by_layer"]),
            ]
            for point in points
        ],
    )
    return (
        "Where w_t acts: the softmax weight on the objective where the first item is chosen, the "
        f"mean over layers and heads. An even share of all that is seen is "
        f"{result['even_attention']:.3f}.\n\n{shares}"
    )
