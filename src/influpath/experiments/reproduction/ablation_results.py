"""The ablations in a figure and in words, from their result document alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from influpath.evaluation import METRICS
from influpath.experiments.figure_parts import BLUE, GREEN, INK, VERMILLION, Look
from influpath.experiments.reproduction.dot_plots import draw_interval
from influpath.experiments.reproduction.drawing import GRID, note_below
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, number, table
from influpath.experiments.reproduction.planner_rows import dial_text, dials_text, sign

# Plain words for the variants; another one is called by its settings.
WORDS = {
    "leak": "a leak: the objective's row sees the items",
    "adjacent": "no empty slots before the objective",
    "untied": "an output of its own, not tied to the items",
    "random-start": "a random start, not item2vec's",
    "objective-not-in-loss": "a loss without the objective's slot",
    "cut-once": "pieces cut once, not anew in every epoch",
    "four-layers": "four layers, not two",
    "type-1": "no extra weight for the objective (type 1)",
    "type-2": "the same weight for all users (type 2)",
}
DRAWN = {
    "ioi": "IoI (nats)",
    "accepted_sr@20": "accepted SR@20 (share of paths)",
    "log_ppl": "log(PPL) (nats, left of 0 is smoother)",
}
# What rows that are compared have in common.
SAME = ("judge", "pairs", "dials")
WORTH = ("ioi", "accepted_sr@20", "log_ppl", "sr", "ior", "worst_step")
LOOKS = {
    ("training", "chosen"): Look(BLUE, "o", "-"),
    ("training", "neutral"): Look(VERMILLION, "s", "-"),
    ("planning", "chosen"): Look(GREEN, "D", "-"),
}
LEGEND = {
    ("training", "chosen"): "training changed, chosen dials",
    ("training", "neutral"): "training changed, neutral dials",
    ("planning", "chosen"): "one dial changed",
}


def merged_ablations(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one document with the rows of all that were made with the same settings and dials.

    What was made with others, within a budget say, cannot stand beside them: the largest number of
    documents that go together is taken, and the others are named.
    """
    alike: list[list[Mapping[str, Any]]] = []
    for document in documents:
        for others in alike:
            if common(document) == common(others[0]):
                others.append(document)
                break
        else:
            alike.append([document])
    most = max(alike, key=len)
    whole = {**most[0]["result"], "training": {}, "planning": {}}
    for document in most:
        for group in ("training", "planning"):
            whole[group] |= document["result"][group]
    whole["left_out"] = [one["recipe"] for own in alike if own is not most for one in own]
    return {**most[0], "result": whole}


def common(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what documents must have in common to stand side by side."""
    settings = {key: value for key, value in document["config"].items() if key != "variant"}
    return {**{key: document["result"][key] for key in SAME}, "config": settings}


def rows_of(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield group, dials, the change in words, and what IRN has over it."""
    for group in ("training", "planning"):
        for name, found in result[group].items():
            for setting, worth in found["worth"].items():
                yield group, setting, change(name, found), worth


def change(name: str, found: Mapping[str, Any]) -> str:
    """Return what a row has in place of IRN's own choice."""
    return name if "dials" in found else WORDS.get(name, settings_text(found))


def settings_text(found: Mapping[str, Any]) -> str:
    """Return the settings of a variant that differ."""
    return ", ".join(f"{key} {dial_text(value)}" for key, value in found["changes"].items())


def draw_ablations(document: Mapping[str, Any]) -> Figure:
    """Draw one row per changed choice: IRN minus IRN with the change."""
    result = document["result"]
    rows = list(rows_of(result))
    names = list(dict.fromkeys(name for _, _, name, _ in rows))
    figure = Figure(figsize=(11.0, 1.7 + 0.36 * len(names)))
    panels = figure.subplots(1, len(DRAWN), sharey=True, squeeze=False)[0]
    for axes, (metric, title) in zip(panels, DRAWN.items(), strict=True):
        for group, setting, name, worth in rows:
            shift = {("training", "chosen"): -0.15, ("training", "neutral"): 0.15}
            place = names.index(name) + shift.get((group, setting), 0.0)
            draw_interval(axes, worth[metric], place, LOOKS[group, setting])
        axes.axvline(0, color=INK, linewidth=0.9)
        axes.set_xlabel(f"{title}:\nIRN minus IRN with the change")
        axes.grid(axis="x", **GRID)
        axes.margins(x=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.tick_params(axis="y", length=0)
        parted = len(result["training"])
        if 0 < parted < len(names):
            axes.axhline(parted - 0.5, **GRID)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    used = dict.fromkeys((group, setting) for group, setting, _, _ in rows)
    figure.legend(
        handles=[
            Line2D([], [], color=LOOKS[key].color, marker=LOOKS[key].marker, label=LEGEND[key])
            for key in used
        ],
        loc="outside upper left",
        ncols=3,
        fontsize=9.5,
    )
    note_below(
        figure,
        f"n = {result['pairs']:,} pairs, judge {result['judge']}; lines: 95% intervals of the "
        "paired difference over users; one training each",
    )
    return figure


def ablation_words(document: Mapping[str, Any], as_chosen: Sequence[str] = ()) -> str:
    """Return what each choice is worth, the variants at neutral dials, and the networks.

    Args:
        document: The merged document.
        as_chosen: Changes of dials that have no row, since the chosen dials have them.
    """
    result = document["result"]
    rows = list(rows_of(result))
    counted = [worth[metric] for _, _, _, worth in rows for metric in WORTH]
    excluded = sum(1 for at in counted if sign(at))
    parts = [
        f"{result['pairs']:,} report pairs, judge {result['judge']}. Each row is IRN minus IRN "
        "with one choice changed, paired by user, with 95% intervals; what is better or worse is "
        f"said only where the interval excludes 0. Chosen dials: "
        f"{dials_text(result['dials']['chosen'])}.",
        "What each choice is worth, at the chosen dials:\n\n" + worth_table(rows, "chosen"),
    ]
    if as_chosen:
        parts.append(f"Chosen, and so without a row of its own: {listed(as_chosen)}.")
    if result["training"]:
        parts += [
            "The choices of training at neutral dials:\n\n" + worth_table(rows, "neutral"),
            "What they do to the network:\n\n" + network_table(result),
            about_losses(result),
        ]
    if result.get("left_out"):
        parts.append(
            f"Left out, since made with other settings: {listed(result['left_out'])}; make them "
            "anew to see them here."
        )
    parts.append(
        f"{excluded} of {len(counted)} intervals in these tables exclude 0; about one in twenty "
        "would where nothing differs. They are over users: every network was trained once, and "
        "another seed moves it too."
    )
    return "\n\n".join(part for part in parts if part)


def worth_table(rows: list[tuple[str, str, str, Mapping[str, Any]]], setting: str) -> str:
    """Return the rows at some dials as a Markdown table."""
    lines = [
        [name, verdict(worth), *(cell(worth[metric], metric) for metric in WORTH)]
        for _, dials, name, worth in rows
        if dials == setting
    ]
    columns = ["IRN minus IRN with", "IRN as it is", *(NAMES[metric] for metric in WORTH)]
    return table(columns, lines, text=2)


def verdict(worth: Mapping[str, Any]) -> str:
    """Return in what IRN as it is is better or worse; "" where no interval excludes 0."""
    sides: dict[int, list[str]] = {1: [], -1: []}
    for metric in WORTH:
        better = 1 if METRICS[metric].higher_is_better else -1
        if side := better * sign(worth[metric]):
            sides[side].append(NAMES[metric])
    clauses = [
        f"{word} {listed(sides[side])}"
        for side, word in ((1, "better:"), (-1, "worse:"))
        if sides[side]
    ]
    return "; ".join(clauses)


def network_table(result: Mapping[str, Any]) -> str:
    """Return jumps, next-item scores and losses of the networks."""
    own = result["irn"]
    lines = [["IRN as it is", *network(own), "", loss(own, True)]]
    for name, found in result["training"].items():
        lines.append(
            [
                f"{name} ({settings_text(found)})",
                *network(found),
                cell(found["next_item"]["worth"], "hr@20"),
                loss(found, found["loss_compares"]),
            ]
        )
    columns = [
        "network",
        "jumps, neutral dials",
        "jumps, chosen dials",
        "HR@20, objective hidden",
        "IRN minus it",
        "validation loss",
    ]
    return table(columns, lines)


def network(found: Mapping[str, Any]) -> list[str]:
    """Return the share of jumps at both dials, and HR@20."""
    rows = found["rows"]
    jumps = [cell(rows[setting]["jump"], "sr") for setting in ("neutral", "chosen")]
    return [*jumps, cell(found["next_item"]["hr@20"], "hr@20")]


def loss(found: Mapping[str, Any], compares: bool) -> str:
    """Return the validation loss; marked where it means something else than IRN's."""
    value = found["training"]["validation"].get("validation_loss")
    return number(value) + ("" if compares or value is None else " *")


def about_losses(result: Mapping[str, Any]) -> str:
    """Return what the columns mean, and which losses do not compare."""
    text = (
        "A jump is a path that shows the objective at its first step. HR@20 is of the held-out "
        "item by full ranking, the network used as a plain recommender."
    )
    if any(not found["loss_compares"] for found in result["training"].values()):
        text += (
            " A loss with * does not compare: the network is asked for other positions, or sees "
            "what it is asked for."
        )
    return text
