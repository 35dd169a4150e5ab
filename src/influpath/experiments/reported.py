"""What the paper prints, for context beside our own figures; its judge and pairs are others.

``reported.json`` holds the tables as printed; a value is None where the available text lost it.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

Row = dict[str, float | None]


@cache
def printed() -> dict[str, Any]:
    """Return everything: ``table_1_datasets`` .. ``table_6_hyperparameters``, ``figures``, ..."""
    text = (files("influpath.experiments") / "reported.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def rows(table: str, dataset: str) -> dict[str, Row]:
    """Return a table's rows for a dataset, each by its column names; {} where it has none.

    Args:
        table: Key of the table, such as "table_3_paths_m20".
        dataset: "ml-1m" or "lastfm".
    """
    content = printed()[table]
    found: dict[str, Any] = content.get(dataset, {})
    columns = content.get("columns")
    if columns is None:
        return found
    return {name: dict(zip(columns, row, strict=True)) for name, row in found.items()}


def evaluators(dataset: str) -> dict[str, Row]:
    """Return Table II: the evaluators as next-item recommenders."""
    return rows("table_2_evaluators", dataset)


def irn(dataset: str) -> Row | None:
    """Return the row of IRN in Table III, M = 20; None for another dataset."""
    return rows("table_3_paths_m20", dataset).get("irn")
