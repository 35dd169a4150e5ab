"""Errors as HTTP clients meet them: a status and one sentence, never a traceback."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from influpath.errors import InfluPathError, ModelFileError, NotFittedError
from influpath.serving.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotReadyError,
)
from influpath.serving.schemas import Problem

# What is not named is a 422: the request asks for something that cannot be (an unknown item, ...).
STATUS: Mapping[type[InfluPathError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    ForbiddenError: 403,
    NotReadyError: 503,
    # A bundle that is gone or damaged while it is in use.
    ModelFileError: 503,
    NotFittedError: 503,
}
WORDS: Mapping[int, str] = {
    404: "There is nothing at this address; GET /openapi.json lists what there is.",
    405: "This address does not take that method; GET /openapi.json lists what there is.",
    500: "Something went wrong; the log of the service says what, under this X-Request-Id.",
}
# More than this of what is wrong with a body helps nobody.
MOST_CLAUSES = 3


def problem(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as an answer."""
    # What UTF-8 cannot say (half a surrogate pair) must not turn one error into another.
    detail = sentence.encode("utf-8", "replace").decode("utf-8")
    return Response(
        Problem(detail=detail).model_dump_json(),
        status,
        headers=dict(headers or {}),
        media_type="application/json",
    )


def status_of(error: InfluPathError) -> int:
    """Return the status that stands for an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 422)


def describe(errors: list[dict[str, Any]]) -> str:
    """Say in one sentence what is wrong with a request, field by field.

    What was given is not repeated: it may be long, or a secret.

    Args:
        errors: As pydantic lists them, places first.
    """
    clauses = []
    for error in errors[:MOST_CLAUSES]:
        place, *fields = (str(part) for part in error["loc"])
        # Members of a union, such as "constrained-str", are no names of fields.
        named = ".".join(part for part in fields if part.isidentifier() or part.isdecimal())
        what = str(error["msg"]).removeprefix("Value error, ")
        where = f"{place} {named}" if place != "body" and named else named or place
        clauses.append(f"{where}: {what[:1].lower()}{what[1:]}")
    more = len(errors) - MOST_CLAUSES
    return "; ".join(clauses) + (f"; and {more} more" if more > 0 else "") + "."


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, InfluPathError)
    status = status_of(error)
    return problem(status, str(error), {"Retry-After": "1"} if status == 503 else None)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(422, describe(list(error.errors())))


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = str(error.detail)
    # Starlette's own details are the bare names of the statuses.
    plain = said == HTTPStatus(error.status_code).phrase
    return problem(
        error.status_code, WORDS.get(error.status_code, said) if plain else said, error.headers
    )


def add_problems(app: FastAPI) -> None:
    """Let every error of an application end as ``Problem``; see ``edge.py`` for unexpected ones."""
    app.add_exception_handler(InfluPathError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
