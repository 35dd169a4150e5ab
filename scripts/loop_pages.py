"""Write the results of docs/simulation.md and docs/judges.md from the result files, or check them.

python scripts/loop_pages.py           # rewrite
python scripts/loop_pages.py --check   # exit 1 if a page says something else
"""

import json
import sys
from pathlib import Path
from typing import Any

from influpath.experiments.closed_loop.words import judges_words, loop_words

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"simulate": (ROOT / "docs" / "simulation.md", loop_words)}
PAGES["judges"] = (ROOT / "docs" / "judges.md", judges_words)


def updated(kind: str) -> tuple[str, str]:
    """Return a page as it is, and with the section of every result file that is there rewritten."""
    path, words = PAGES[kind]
    now = page = path.read_text(encoding="utf-8")
    for file in sorted((ROOT / "results").glob(f"*/{kind}.json")):
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        dataset = file.parent.name
        start, end = f"<!-- {kind}:{dataset} -->", f"<!-- /{kind}:{dataset} -->"
        before, rest = page.split(start)
        after = rest.split(end)[1]
        figure = f"![{kind} {dataset}](../results/{dataset}/{kind}.svg)"
        source = f"From [`results/{dataset}/{kind}.json`](../results/{dataset}/{kind}.json)."
        page = f"{before}{start}\n{words(result)}\n\n{figure}\n\n{source}\n{end}{after}"
    return now, page


if __name__ == "__main__":
    for kind, (path, _) in PAGES.items():
        now, wanted = updated(kind)
        if now == wanted:
            continue
        if "--check" in sys.argv:
            sys.exit(f"{path.name}: run scripts/loop_pages.py")
        path.write_text(wanted, encoding="utf-8")
