"""Table VII in words: paths as tables, and what happens to the genres along all of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from influpath.experiments import reported
from influpath.experiments.examples import odds
from influpath.experiments.reproduction.genres import overlap_of_genres
from influpath.experiments.reproduction.markdown import listed, literal, table

KINDS = {
    "best": "The best path",
    "median": "A path in the middle",
    "random": "A path drawn by chance",
}
ENDS = {
    "history": "last of the history",
    "first": "first shown",
    "last": "last before the objective",
    "change": "change",
}


# What the loaders take for genres, where the data has none by that name.
STAND_INS = {"lastfm": "An artist's genres are the tags that it got most often."}


def words_of_paths(result: Mapping[str, Any], lead: str) -> Iterator[str]:
    """Yield every case: the leading planner's path in full, the others' in short.

    Args:
        result: The recipe's.
        lead: The planner that the cases were chosen by.
    """
    yield (
        f"{len(result['paths'])} of the {result['pairs']:,} paths of {lead} on the report pairs, "
        f"in the eyes of the judge {result['judge']}: the one with the highest gain of interest "
        "(accepted objectives first), one with the median gain, and one drawn by chance. Overlap "
        "is that of genres with the objective's (Jaccard), rank the judge's among the items "
        "neither in the history nor shown before, chance the objective's just before the step."
    )
    for case in result["paths"]:
        objective, own = case["objective"], case["planners"][lead]
        yield f"**{KINDS[case['kind']]}**, to {named(objective)}: {ending(own)}"
        rows = [
            ["history", literal(item["title"]), genres_of(item), share(item["overlap"]), "", ""]
            for item in case["history"]
        ]
        rows += [
            [
                str(number),
                f"**{literal(step['title'])}**" if step["is_objective"] else literal(step["title"]),
                genres_of(step),
                share(step["overlap"]),
                f"{step['rank']:,}",
                odds(step["objective_log_prob"]),
            ]
            for number, step in enumerate(own["steps"], start=1)
        ]
        if not own["reached"]:
            missed = f"(not shown: {literal(objective['title'])})"
            rows.append(["", missed, genres_of(objective), "", "", odds(own["end_log_prob"])])
        yield table(["step", "title", "genres", "overlap", "rank", "chance"], rows, text=3)
        others = {label: path for label, path in case["planners"].items() if label != lead}
        if others:
            yield "The same user and objective under the others:"
            yield "\n".join(f"- {label}: {ending(path)}" for label, path in others.items())
            yield beside(others)


def beside(paths: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the titles of several paths side by side, each with the judge's rank."""
    longest = max(len(path["steps"]) for path in paths.values())
    rows = [
        [str(number), *(part for path in paths.values() for part in brief(path["steps"], number))]
        for number in range(1, longest + 1)
    ]
    columns = ["step", *(name for label in paths for name in (label, "rank"))]
    return table(columns, rows, text=len(columns))


def brief(steps: Sequence[Mapping[str, Any]], number: int) -> tuple[str, str]:
    """Return a step's title and rank; "" after the path's end."""
    if number > len(steps):
        return "", ""
    step = steps[number - 1]
    title = literal(step["title"])
    return f"**{title}**" if step["is_objective"] else title, f"{step['rank']:,}"


def ending(path: Mapping[str, Any]) -> str:
    """Say what came of a path."""
    start, end, length = path["start_log_prob"], path["end_log_prob"], len(path["steps"])
    return (
        f"{path['outcome']}, {length} item{'s' if length != 1 else ''}; the objective's chance "
        f"goes from {odds(start)} to {odds(end)} ({share(end - start, 'change')} nats)."
    )


def words_of_genres(result: Mapping[str, Any], lead: str, dataset: str) -> Iterator[str]:
    """Yield what happens to the genres on average, beside the paper's one example.

    Args:
        result: The recipe's.
        lead: The planner that the others are compared with.
        dataset: Its name, by which the paper's example is found.
    """
    genres = result["genres"]
    paper = paper_path(dataset)
    if genres is None:
        yield "The items of this dataset have no genres."
        return
    rows = [
        [label, *(interval(own[name], name) for name in ENDS), f"{own['change']['n']:,}"]
        for label, own in genres["ends"].items()
    ]
    if paper is not None:
        rows.append(["the paper's example", *(share(paper[name], name) for name in ENDS), "1"])
    yield (
        "**Genres on average.** Single paths are anecdotes. Mean overlap of genres with the "
        "objective's over the report pairs, 95% intervals, the objective itself left out:"
    )
    yield table(["planner", *ENDS.values(), "pairs"], rows)
    yield " ".join([*changes(genres), *contrasts(genres, result["dials"], lead)])
    notes = [
        STAND_INS.get(dataset, ""),
        "The figure follows the overlap step by step; as in Figure 9, paths that show the "
        "objective before the last step are left out of it.",
        jumps(genres["steps"]),
    ]
    yield " ".join(filter(None, notes))
    if paper is not None:
        yield about_paper(paper, genres["ends"][lead]["change"], lead)


def changes(genres: Mapping[str, Any]) -> Iterator[str]:
    """Say under which planners the genres come nearer to the objective's."""
    for label, own in genres["ends"].items():
        if own["change"]["mean"] is None:
            yield f"Under {label} the overlap is undefined."
            continue
        verb = ("falls", "is not told apart from unchanged", "rises")[1 + sign(own["change"])]
        change = interval(own["change"], "change")
        yield f"Under {label} the overlap {verb} along the path ({change})."
    chance = genres["catalogue"]
    if chance["mean"] is not None:
        yield f"An item drawn from the catalogue has an overlap of {share(chance['mean'])}."


def jumps(steps: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Say at which single step the overlap grows most, where its two intervals lie apart."""
    found = []
    for label, curve in steps.items():
        known = [at for at in curve if None not in at["ci95"]]
        apart = [(at, after) for at, after in pairwise(known) if after["ci95"][0] > at["ci95"][1]]
        if apart:
            at, after = max(apart, key=lambda both: both[1]["mean"] - both[0]["mean"])
            ends = f"{share(at['mean'])} to {share(after['mean'])}"
            found.append(f"{label} at step {after['step']} ({ends})")
    return f"Where it grows most in a single step: {listed(found)}." if found else ""


def contrasts(
    genres: Mapping[str, Any], dials: Mapping[str, Mapping[str, Any]], lead: str
) -> Iterator[str]:
    """Say how the planners differ just before the objective, and why that may be."""
    for name, gap in genres["differences"].items():
        other = name.removeprefix(f"{lead} - ")
        if gap["mean"] is None:
            continue
        verb = ("is below", "is not told apart from", "is above")[1 + sign(gap)]
        yield (
            f"Just before the objective {lead} {verb} {other} "
            f"(difference {interval(gap, 'change')})."
        )
        if dials.get(other, {}).get("distance") == "genre":
            yield f"{other} re-ranks by these very genres, so that its overlap is what it aims at."


def paper_path(dataset: str) -> dict[str, Any] | None:
    """Return the overlaps of the path that the paper prints; None for another dataset."""
    case = reported.printed()["table_7_case_study"].get(dataset)
    if case is None:
        return None
    *path, objective = case["path"]
    at = {"history": case["last_in_history"], "first": path[0], "last": path[-1]}
    overlaps = {
        name: overlap_of_genres(item["genres"], objective["genres"]) for name, item in at.items()
    }
    assert overlaps["history"] is not None
    assert overlaps["last"] is not None
    return {
        **overlaps,
        "change": overlaps["last"] - overlaps["history"],
        "from": at["history"],
        "to": objective,
        "length": len(case["path"]),
    }


def about_paper(paper: Mapping[str, Any], change: Mapping[str, Any], lead: str) -> str:
    """Say how the paper's example stands to our average, and why it cannot be made again."""
    sentences = [
        f"The paper prints one path of {paper['length']} items, from {named(paper['from'])} to "
        f"{named(paper['to'])}; its overlap grows by {share(paper['change'])}."
    ]
    low, high = change["ci95"]
    if high is not None and high < paper["change"]:
        sentences.append(f"On average {lead}'s grows by less here.")
    elif low is not None and low > paper["change"]:
        sentences.append(f"On average {lead}'s grows by more here.")
    known = [text for text in reported.printed()["known_inconsistencies"] if "Table VII" in text]
    sentences += [f"It cannot be made again: {literal(text)}" for text in known]
    return " ".join(sentences)


def sign(at: Mapping[str, Any]) -> int:
    """Return 1 or -1 where the interval lies above or below 0, and 0 where it does not."""
    low, high = at["ci95"]
    if low is None or high is None:
        return 0
    return int(low > 0) - int(high < 0)


def named(item: Mapping[str, Any]) -> str:
    """Return an item's title and genres."""
    genres = genres_of(item)
    return f"*{literal(item['title'])}*" + (f" ({genres})" if genres else "")


def genres_of(item: Mapping[str, Any]) -> str:
    """Return an item's genres as text."""
    return literal(", ".join(item["genres"]))


def share(value: float | None, name: str = "") -> str:
    """Return an overlap, or a signed change; "" where it is undefined."""
    if value is None:
        return ""
    # Never -0.00.
    value = round(value, 2) + 0.0
    return f"{value:+.2f}" if name == "change" else f"{value:.2f}"


def interval(at: Mapping[str, Any], name: str) -> str:
    """Return ``mean [low, high]`` of an overlap or a change; "" where it is undefined."""
    low, high = at["ci95"]
    mean = share(at["mean"], name)
    return mean if low is None else f"{mean} [{share(low, name)}, {share(high, name)}]"
