"""Templates, and answers made of them."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined

from influpath.serving.page import drawing, words

HERE = Path(__file__).parent
# Letters of a table that are sent at a time.
CSV_PART = 1 << 16


class PageFiles(StaticFiles):
    """The static files; browsers ask again whether they are still the newest."""

    def file_response(self, *args: Any, **settings: Any) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(*args, **settings)
        response.headers["Cache-Control"] = "no-cache"
        return response


def static_files() -> PageFiles:
    """Return the application that serves the static files."""
    return PageFiles(directory=HERE / "static")


def make_environment() -> Environment:
    """Return the templates; those of the reports are there, too, for their prose."""
    environment = Environment(
        loader=PrefixLoader(
            {
                "page": PackageLoader("influpath.serving.page", "templates"),
                "reports": PackageLoader("influpath.experiments", "templates"),
            }
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said = (words.chance, words.times, words.choices, words.percent, words.points, words.moment)
    environment.filters |= {each.__name__: each for each in (*said, words.day, words.plural)}
    environment.filters["grouped"] = lambda value: f"{value:,}"
    environment.filters["log_share"] = drawing.log_share
    environment.globals["scale_of"] = drawing.scale_of
    return environment


ENVIRONMENT = make_environment()


def render(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a template as an answer.

    Args:
        request: Says below which path the service is mounted, and who asks.
        name: File in ``templates``.
        status: HTTP status.
        values: For the template.
    """
    template = ENVIRONMENT.get_template(f"page/{name}")
    standing = {
        "root": request.scope.get("root_path", ""),
        "here": request.url.path,
        "caller": getattr(request.state, "caller", None),
    }
    return HTMLResponse(template.render({**standing, **values}), status)


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return a table as a CSV file to be saved, which is sent as it is read.

    Args:
        name: Of the file, without its ending; only letters, digits and dashes.
        head: Names of the columns.
        rows: The table, however long.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(
        csv_parts(head, rows), media_type="text/csv; charset=utf-8", headers=headers
    )


def csv_parts(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield a table as CSV, many rows at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for row in rows:
        writer.writerow([harmless(value) for value in row])
        if text.tell() > CSV_PART:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def harmless(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    risky = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if risky else value
