"""The page about the reproduction, and the report: made from the result files alone."""

from pathlib import Path


def write_page(results: Path) -> Path:
    """Write ``reproduction.md`` over all datasets and presets; return its path."""
    raise SystemExit("page: to be written")


def write_report(folder: Path) -> Path:
    """Write ``report.html`` of one dataset and preset; return its path."""
    raise SystemExit("report: to be written")
