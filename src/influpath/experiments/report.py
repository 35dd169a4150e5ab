"""The report of a run: one HTML file that needs nothing but a browser.

It is made from the result document and the examples alone; every sentence with a number in it is
computed from them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from influpath.evaluation.metrics import METRICS
from influpath.experiments.examples import Example, odds
from influpath.experiments.figures import frontier_figure, stepwise_figure, success_figure
from influpath.experiments.report_numbers import duration, label_of, lead_of, number, source_name
from influpath.experiments.report_tables import (
    ACROSS,
    across_judges,
    document_table,
    judges,
    models,
    next_item,
    stages,
    table,
)
from influpath.experiments.report_words import findings, grounds, other_judges
from influpath.files import atomic_path
from influpath.planning.schedule import schedule_text

OPTIONAL = ("subset", "dials", "hardware", "versions", "seed", "dial_choice")


def write_report(
    document: Mapping[str, Any], examples: Sequence[Example], path: str | Path
) -> None:
    """Write the report as one self-contained HTML file.

    Args:
        document: The result of a run.
        examples: Paths to show one by one, from ``example_paths``.
        path: The HTML file; replaced as a whole, never left half written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(render_report(document, examples), encoding="utf-8")


def render_report(document: Mapping[str, Any], examples: Sequence[Example]) -> str:
    """Return the report as HTML."""
    environment = Environment(
        loader=PackageLoader("influpath.experiments", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "odds": odds,
        "duration": duration,
        "schedule": schedule_text,
        "grouped": lambda value: f"{value:,}" if isinstance(value, int) else value,
    }
    # What a document may lack stands there as nothing, so that the page can say so.
    document = {**dict.fromkeys(OPTIONAL), **document}
    page = environment.get_template("report.html.j2")
    return page.render(
        document=document,
        data={"preset": None, "report": {}, "fingerprint": None} | document["data"],
        source=source_name(document),
        config=config_text(document),
        examples=examples,
        findings=findings(document),
        grounds=grounds(document),
        other_judges=other_judges(document),
        lead=lead_of(document["planners"]),
        max_length=document["config"]["max_length"],
        table=table(
            document["planners"],
            document.get("differences") or {},
            document.get("coverage") or {},
            document.get("paper_irn"),
        ),
        subset=document_table(document.get("subset"), document.get("subset_differences")),
        judges=judges(document),
        spread=document.get("spread") or {},
        spread_metrics=("sr", *ACROSS),
        across=across_judges(document),
        across_metrics=ACROSS,
        dials=document.get("dial_choice"),
        figures={
            "frontier": Markup(frontier_figure(document)),
            "start": Markup(stepwise_figure(document, "start")),
            "arrival": Markup(stepwise_figure(document, "arrival")),
            "success": Markup(success_figure(document)),
        },
        metrics=[(label_of(name), name, metric.description) for name, metric in METRICS.items()],
        models=models(document),
        stages=stages(document.get("seconds") or {}),
        next_item=next_item(document),
        label_of=label_of,
        candidate_metrics=("accepted_sr@20", "ioi", "log_ppl", "worst_step"),
        number=number,
    )


def config_text(document: Mapping[str, Any]) -> str:
    """Return the configuration as TOML, without where files lay."""
    config = {key: value for key, value in document["config"].items() if key != "result"}
    if isinstance(config.get("data"), dict):
        config["data"] = config["data"] | {"source": source_name(document)}
    return tomli_w.dumps(_without_none(config))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
