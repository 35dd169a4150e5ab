"""Write the README's results section from the result files, or check that it is up to date.

python scripts/readme_results.py           # rewrite
python scripts/readme_results.py --check   # exit 1 if the README says something else
"""

import json
import sys
from pathlib import Path
from typing import Any

from influpath.planning.rec2inf import Rec2InfConfig
from influpath.planning.schedule import schedule_text

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = {
    "sr": ("SR@20", 3),
    "accepted_sr@20": ("accepted SR@20", 3),
    "ioi": ("IoI", 2),
    "ior": ("IoR", 0),
    "log_ppl": ("log(PPL)", 2),
    "worst_step": ("worst step", 2),
}
SECTIONS = {
    "ml-1m": ("MovieLens-1M", "results/ml-1m/main.json"),
    "lastfm": ("Last.fm", "results/lastfm/main.json"),
    "lastfm-paper": ("Last.fm, the paper's preparation", "results/lastfm/main-paper.json"),
}


NEXT_ITEM = {
    "next-item-ml-1m": ("MovieLens-1M", "results/ml-1m/next_item.json"),
    "next-item-lastfm": ("Last.fm", "results/lastfm/next_item.json"),
}
NEXT_ITEM_COLUMNS = {"hr@10": "HR@10", "hr@20": "HR@20", "ndcg@10": "NDCG@10", "mrr": "MRR"}


def section(title: str, path: str, result: dict[str, Any]) -> str:
    """Return one dataset's heading, table and what stands behind it."""
    judge, data = result["evaluator"], result["data"]
    lines = [
        f"### {title}",
        "",
        f"{data['users']:,} users, {data['items']:,} items, {data['interactions']:,} interactions; "
        f"{result['pairs']:,} report pairs, M = {result['config']['max_length']}. Judge: "
        f"{judge['name']} with HR@20 {judge['hr@20']:.3f} and MRR {judge['mrr']:.3f} by full "
        "ranking. IRN ranking the next item while it pursues an objective, at neutral dials: HR@20 "
        f"{result['next_item']['irn']['hr@20']:.3f}. "
        f"Means with 95% intervals, from [`{path}`]({path}).",
        "",
        "| planner | " + " | ".join(name for name, _ in COLUMNS.values()) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for planner, row in result["planners"].items():
        name = planner
        if planner == "irn":
            dials = result["dials"]["irn"]
            g, c, floor = (schedule_text(dials[name]) for name in ("guidance", "pace", "floor"))
            ahead = schedule_text(dials.get("lookahead", 0))
            ahead = "" if ahead == "0" else f", look-ahead {ahead}"
            name = f"**irn** (g {g}, c {c}, floor {floor}{ahead})"
        elif planner.startswith("rec2inf/"):
            own = Rec2InfConfig.parse(result["dials"][planner], planner)
            vectors = {"own": "its own vectors"}.get(own.distance, own.distance)
            name = f"{planner} (k {schedule_text(own.k)}, by {vectors})"
        elif planner == "oracle":
            name = f"oracle, k 20, sees the judge ({row['sr']['n']} pairs)"
        elif row["sr"]["n"] < result["pairs"]:
            name = f"{planner} ({row['sr']['n']} pairs)"
        lines.append(f"| {name} | " + " | ".join(cell(row, key) for key in COLUMNS) + " |")
    if result["paper_irn"]:
        cells = [
            f"{result['paper_irn'][key]:g}" if key in result["paper_irn"] else "" for key in COLUMNS
        ]
        lines.append("| the paper's IRN, its own judge | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def next_item_section(title: str, path: str, result: dict[str, Any]) -> str:
    """Return the comparison of recommenders as next-item models."""
    names = list(result["config"]["recommenders"])
    seeds = len(result["config"]["seeds"]) or 1
    printed = result["paper_evaluators"] or {}
    lines = [
        f"### {title}: recommenders as next-item models",
        "",
        f"The last item of each of {result['users']:,} users, ranked among all items that the user "
        f"has not seen; {seeds} seed{'s' * (seeds > 1)} each, 95% intervals over users, from "
        f"[`{path}`]({path}).",
        "",
        "| recommender | "
        + " | ".join(NEXT_ITEM_COLUMNS.values())
        + " | the paper: HR@20, MRR | epochs | minutes |",
        "|---|" + "---|" * (len(NEXT_ITEM_COLUMNS) + 3),
    ]
    for name in names:
        row, paper = result[name], printed.get(name)
        cells = [
            "{:.3f} [{:.3f}, {:.3f}]".format(row[key], *row[f"{key}_ci95"])
            for key in NEXT_ITEM_COLUMNS
        ]
        cells.append(f"{paper['hr@20']:g}, {paper['mrr']:g}" if paper else "")
        first = row["seeds"][0]
        cells += [str(first["epochs"]), f"{first['seconds'] / 60:.0f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(row: dict[str, Any], key: str) -> str:
    """Return a mean and its interval."""
    digits, at = COLUMNS[key][1], row[key]
    if at["mean"] is None:
        return ""
    low, high = at["ci95"]
    return f"{at['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def updated(readme: str) -> str:
    """Return the README with every section that has a result file rewritten."""
    parts = [(SECTIONS, section), (NEXT_ITEM, next_item_section)]
    for name, (title, path), write in [
        (name, about, write) for group, write in parts for name, about in group.items()
    ]:
        if not (ROOT / path).is_file():
            continue
        result = json.loads((ROOT / path).read_text(encoding="utf-8"))
        start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
        before, rest = readme.split(start)
        after = rest.split(end)[1]
        readme = f"{before}{start}\n{write(title, path, result)}\n{end}{after}"
    return readme


if __name__ == "__main__":
    file = ROOT / "README.md"
    now = file.read_text(encoding="utf-8")
    wanted = updated(now)
    if "--check" in sys.argv:
        sys.exit("README.md: run scripts/readme_results.py" if wanted != now else 0)
    file.write_text(wanted, encoding="utf-8")
