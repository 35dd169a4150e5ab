"""Table VI in words, from its result document alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from influpath.experiments.reproduction.markdown import NAMES, cell, listed, number, table
from influpath.experiments.reproduction.planner_rows import as_printed, printed_planners, sign
from influpath.experiments.reproduction.search_figure import SYMBOLS, last_score

WHO = {
    "paper": "the paper's settings",
    "best": "best of the search",
    "project": "this project's IRN",
}
METRICS = ("sr", "accepted_sr@20", "ioi", "log_ppl")


def search_words(document: Mapping[str, Any]) -> str:
    """Return Table VI, what the settings are worth, and all trials."""
    parts = [settings_table(document), how(document), worth(document), weight(document)]
    return "\n\n".join([*parts, trials_table(document)])


def settings_table(document: Mapping[str, Any]) -> str:
    """Return the settings: range, the paper's, the best found, this project's."""
    result = document["result"]
    printed = document["config"]["printed"]
    best = result["trials"][result["best"]]["settings"]
    importance = (result["importance"] or {}).get("settings", {})
    rows = [
        [
            SYMBOLS[name],
            range_text(values, name in result["ranges"]),
            "" if printed is None else f"{printed[name]:g}",
            f"{best[name]:g}",
            own_text(result["project"]["settings"][name], values, name in result["ranges"]),
            "" if name not in importance else number(importance[name]["importance"]),
        ]
        for name, values in result["space"].items()
    ]
    columns = ["setting", "range", "paper", "best found", "this project", "importance"]
    text = table(columns, rows, text=2)
    beyond = any(row[4].endswith("*") for row in rows)
    return f"{text}\n\n\\* Not in the range that was searched." if beyond else text


def own_text(value: float, values: Sequence[float], whole: bool) -> str:
    """Return a setting of the project, marked where the search could not have found it."""
    inside = values[0] <= value <= values[-1] if whole else value in values
    return f"{value:g}" if inside else f"{value:g}\\*"


def range_text(values: Sequence[float], whole: bool) -> str:
    """Return what was searched: a list of values, or a whole range."""
    if whole:
        return f"{values[0]:g} to {values[-1]:g}"
    return ", ".join(f"{value:g}" for value in values)


def how(document: Mapping[str, Any]) -> str:
    """Return how the search went."""
    result, search = document["result"], document["config"]["search"]
    trials = result["trials"]
    counts = {state: sum(t["state"] == state for t in trials) for state in ("pruned", "diverged")}
    rungs = [f"{epochs}" for epochs in search["rungs"]]
    halving = (
        f"After {listed(rungs[:-1])} epochs those that had fallen behind were stopped "
        f"({counts['pruned']}); the others were trained anew for more, {rungs[-1]} at last."
        if len(rungs) > 1
        else f"Each was trained for {rungs[0]} epochs."
    )
    diverged = f" In {counts['diverged']} the training diverged." if counts["diverged"] else ""
    return (
        f"{len(trials)} settings were tried: {listed(origins(document))}. {halving}{diverged} The "
        f"paper searched a grid and does not say how much of it.\n\n"
        f"The score is IoI, less {result['penalty']:g} times what log(PPL) "
        f"has beyond {result['limit']:.2f} (vanilla's {result['vanilla_log_ppl']:.2f} and the "
        f"margin of {document['config']['margin']:g}), on {result['pairs']} dial pairs under "
        f"{result['judge']}, at neutral dials and the w_t of training."
    )


def origins(document: Mapping[str, Any]) -> list[str]:
    """Return where the settings come from."""
    trials, batch = document["result"]["trials"], document["config"]["search"]["batch"]
    fixed = sum(trial["fixed"] for trial in trials)
    # The sampler learns from whole batches.
    startup = min(-(-document["result"]["startup"] // batch) * batch, len(trials))
    counts = {
        "as the paper prints them": fixed,
        "drawn at random": startup - fixed,
        "drawn by TPE, which learns from those before": len(trials) - startup,
    }
    return [f"{count} {how}" for how, count in counts.items() if count]


def worth(document: Mapping[str, Any]) -> str:
    """Return what the settings are worth on report pairs, and how sure that is."""
    result = document["result"]
    report, epochs = result["report"], document["config"]["search"]["rungs"][-1]
    scores = {
        "best": last_score(result["trials"][result["best"]]),
        "paper": last_score(result["trials"][0]),
        "project": result["project"]["measured"]["score"],
    }
    rows = [
        [WHO[name], number(scores[name], "ioi"), *(cell(row[metric], metric) for metric in METRICS)]
        for name, row in report["rows"].items()
    ]
    printed = printed_planners(document["dataset"], document["config"]["max_length"]).get("irn", {})
    if printed:
        figures = [as_printed(printed.get(metric)) for metric in METRICS]
        rows.append(["the paper's IRN, its own judge", "", *figures])
    text = table(["settings", "score", *(NAMES[metric] for metric in METRICS)], rows)
    notes = [
        f"Each IRN was trained once, for at most {epochs} epochs, and planned at neutral dials, so "
        "that these are not the rows of Table III. The score is that of the search; "
        f"the other columns are of {report['pairs']} report pairs under {report['judge']}, which "
        "had no say in it, with 95% intervals. The best trial's score is the largest of many, and "
        "so flatters it; its other columns do not."
    ]
    if result["trials"][result["best"]]["fixed"]:
        notes.append("No other settings scored better than the paper's.")
    for name, row in report["differences"].items():
        a, b = (WHO[key] for key in name.split(" minus "))
        if name == "best minus paper" and result["trials"][result["best"]]["fixed"]:
            continue
        notes.append(f"{a[0].upper()}{a[1:]} against {b}: {change(row)}.")
    return f"{text}\n\n{' '.join(notes)}"


def change(row: Mapping[str, Any]) -> str:
    """Return differences in words; those that may be chance are called so."""
    told = [
        f"{NAMES[metric]} {'higher' if sign(row[metric]) > 0 else 'lower'} by "
        f"{cell(amount(row[metric]), metric)}"
        for metric in METRICS
        if sign(row[metric])
    ]
    even = [NAMES[metric] for metric in METRICS if not sign(row[metric])]
    clauses = [listed(told)] if told else []
    return "; ".join([*clauses, f"not told apart: {listed(even)}"] if even else clauses)


def amount(interval: Mapping[str, Any]) -> dict[str, Any]:
    """Return an interval that excludes 0 without its sign."""
    low, high = sorted(abs(end) for end in interval["ci95"])
    return {"mean": abs(interval["mean"]), "ci95": [low, high]}


def weight(document: Mapping[str, Any]) -> str:
    """Return which settings matter, beside what chance gives."""
    result = document["result"]
    importance = result["importance"]
    if importance is None:
        return "There are too few trials to say which settings matter."
    clear = [
        SYMBOLS[name]
        for name, at in importance["settings"].items()
        if at["importance"] > at["chance"]
    ]
    said = (
        f"beyond what 95% of shuffles of the scores give: {listed(clear)}"
        if clear
        else "none is beyond what 95% of shuffles of the scores give"
    )
    scored = sum(trial["rungs"][0] is not None for trial in result["trials"])
    return (
        f"Importance (PED-ANOVA) says how far a setting sets the best quarter of {scored} trials "
        f"apart, by their score after {document['config']['search']['rungs'][0]} epochs; {said}. "
        f"If no setting mattered, at least one would still be beyond in "
        f"{result['importance']['by_chance']:.0%} of searches like this one."
    )


def trials_table(document: Mapping[str, Any]) -> str:
    """Return every trial."""
    result, rungs = document["result"], document["config"]["search"]["rungs"]
    names = list(result["space"])
    rows = []
    for trial in result["trials"]:
        scores = [None if at is None else at["score"] for at in trial["rungs"]]
        cells = ["diverged" if score is None else number(score, "ioi") for score in scores]
        cells += [""] * (len(rungs) - len(cells))
        last = trial["rungs"][-1] or {}
        label = f"{trial['number'] + 1}" + (" (paper)" if trial["fixed"] else "")
        if trial["number"] == result["best"]:
            label = f"**{label}**"
        rows.append(
            [
                label,
                *(f"{trial['settings'][name]:g}" for name in names),
                *cells,
                number(last.get("ioi"), "ioi"),
                number(last.get("log_ppl"), "log_ppl"),
            ]
        )
    columns = ["trial", *(SYMBOLS[name] for name in names)]
    columns += [f"score, {epochs} epochs" for epochs in rungs]
    return table([*columns, "IoI", "log(PPL)"], rows)
