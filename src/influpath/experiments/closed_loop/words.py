"""The closed loop and the judges in words: Markdown that is computed from the result files."""

from collections.abc import Mapping
from typing import Any

from influpath.experiments.closed_loop.loop import ADAPTIVE, LAST_OFFER, OPEN_LOOP, dials_text
from influpath.experiments.reproduction.markdown import NAMES, table

# Columns of the table, with digits.
COLUMNS = {
    "arrived": ("arrived", 3),
    "left": ("left", 3),
    "rejected": ("rejected items", 2),
    "acceptance": ("accepted of shown", 3),
    "rounds_to_arrival": ("rounds to arrival", 1),
    "induced_shift": ("induced shift (bits)", 3),
}
METRIC_NAMES = {**NAMES, "sr": "SR@20"}
IRN = "irn"
# What re-planning is measured against: every claim is about arrival.
RIVALS = ("rec2inf/sasrec", "ipg/sasrec", "lookahead/sasrec")


def driver_words(driver: str, users: str) -> str:
    """Return who the users are."""
    return "true users" if driver == "truth" else f"users driven by judge {users}"


def loop_words(document: Mapping[str, Any]) -> str:
    """Return a result of ``influpath simulate`` as Markdown: a table and verdicts per driver."""
    parts = []
    for driver, found in document["drivers"].items():
        rows = [
            [name, *(cell(row.get(measure), digits) for measure, (_, digits) in COLUMNS.items())]
            for name, row in found["planners"].items()
        ]
        heading = f"**{driver_words(driver, found['users']).capitalize()}** ({found['pairs']:,})"
        parts += [
            f"{heading}, {document['settings']['loop']['rounds']} rounds; means with 95% "
            "intervals over users.",
            "",
            table(["planner", *(name for name, _ in COLUMNS.values())], rows),
            "",
            *(f"- {verdict}" for verdict in verdicts(document, driver)),
            "",
        ]
    dials = [
        f"`{name}` {dials_text(values)}" for name, values in document["dials"].items() if values
    ]
    parts.append(f"Dials: {'; '.join(dials)}.")
    return "\n".join(parts)


def verdicts(document: Mapping[str, Any], driver: str) -> list[str]:
    """Return what the loop says of IRN with re-planning: every rival, leaving, adaptivity."""
    found, margin = document["drivers"][driver], document["settings"]["margin"]
    differences = found["differences"]
    said = []
    for rival in (IRN + OPEN_LOOP, *RIVALS):
        key = f"{IRN} - {rival}"
        if key in differences:
            name = "IRN without re-planning" if rival == IRN + OPEN_LOOP else f"`{rival}`"
            said.append(f"More users arrive than with {name}: {verdict(differences[key])}")
    for kind, both in (
        (LAST_OFFER, "the objective in the last round"),
        (ADAPTIVE, "learnt sensitivity"),
    ):
        for rival in (*RIVALS, document["settings"]["plain"]):
            key = f"{IRN}{kind} - {rival}{kind}"
            if key in differences:
                said.append(
                    f"... and with {both} for both, than with `{rival}`: "
                    f"{verdict(differences[key])}"
                )
    for kind, those in (("", "them"), (ADAPTIVE, "them with learnt sensitivity")):
        plain = f"{IRN}{kind} - {document['settings']['plain']}"
        if plain in differences:
            left = differences[plain]["left"]
            low, high = left["ci95"]
            word = "yes" if high <= margin else "no" if low > margin else "not decided"
            said.append(
                f"At most {margin:g} more of {those} leave than with the plain recommender: "
                f"{word} ({interval(left)})."
            )
    adaptive = f"{IRN}{ADAPTIVE} - {IRN}"
    if adaptive in differences:
        row = differences[adaptive]
        said.append(
            f"Learning how hard to push each user: arrival {interval(row['arrived'])}, leaving "
            f"{interval(row['left'])}, against fixed dials."
        )
    return said


def verdict(row: Mapping[str, Any]) -> str:
    """Return whether a paired difference of arrival is above 0."""
    low, high = row["arrived"]["ci95"]
    word = "yes" if low > 0 else "no, fewer" if high < 0 else "not decided"
    return f"{word} ({interval(row['arrived'])})."


def judges_words(document: Mapping[str, Any]) -> str:
    """Return a result of ``influpath judges`` as Markdown: one table per target."""
    headline = document["headline"]
    titles = {
        "arrived": "By who arrives",
        "left": "By who does not leave",
        "acceptance": "By what is accepted",
    }
    parts = [
        f"{len(document['points'])} points (planners with dials), {document['users']:,} users "
        "each. Spearman's rho with its 95% interval; Kendall's tau-b beside it for the headline "
        "judge, "
        f"{headline}.",
        "",
    ]
    for target, title in titles.items():
        found = document["correlations"][target]
        judges = [source for source in found if not source.startswith("loop/")]
        rows = []
        for metric in found[headline]:
            rows.append(
                [
                    METRIC_NAMES.get(metric, metric),
                    *(correlation(found[judge][metric]["rho"]) for judge in judges),
                    correlation(found[headline][metric]["tau"]),
                ]
            )
        for measure, row in found["loop/judge"].items():
            blank = [""] * (len(judges) - 1)
            rows.append(
                [
                    f"in the loop: {measure}",
                    correlation(row["rho"]),
                    *blank,
                    correlation(row["tau"]),
                ]
            )
        columns = ["metric", *(f"rho, {judge}" for judge in judges), f"tau, {headline}"]
        parts += [f"### {title}", "", table(columns, rows), ""]
    return "\n".join(parts)


def correlation(row: Mapping[str, Any]) -> str:
    """Return a correlation with its interval; "" where it is undefined."""
    if row["value"] is None:
        return ""
    low, high = row["ci95"]
    return f"{row['value']:.2f} [{low:.2f}, {high:.2f}]"


def cell(row: Mapping[str, Any] | None, digits: int) -> str:
    """Return ``mean [low, high]``; "" where it is undefined."""
    if not row or row["mean"] is None:
        return ""
    low, high = row["ci95"]
    return f"{row['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def interval(row: Mapping[str, Any]) -> str:
    """Return a paired difference with its sign and interval."""
    low, high = row["ci95"]
    return f"{row['mean']:+.3f} [{low:+.3f}, {high:+.3f}]"
