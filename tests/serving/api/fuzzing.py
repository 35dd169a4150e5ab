"""Requests made up from the OpenAPI document, valid and not, and what every answer must be."""

from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
Real = dict[str, list[Any]]


def operations(app: FastAPI) -> list[Any]:
    """Return every operation of an application as schemathesis sees it, deletions last."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    found = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]
    # A user's goal before the user.
    return sorted(found, key=lambda each: (each.method == "delete", -len(each.path)))


def fuzz(operation: Any, headers: dict[str, str], examples: int, real: Real) -> int:
    """Send made-up requests to an operation and check every answer.

    Args:
        operation: One of ``operations``.
        headers: Sent with every request.
        examples: How many requests, half of them valid.
        real: Values of fields that name something that is there, by the field's name; every other
            request has them, half of these in the documented example of a body.

    Returns:
        How many answers were successes.
    """
    successes = 0
    example = example_of(operation)
    for mode in MODES:

        @settings(
            max_examples=examples // len(MODES),
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            case=operation.as_strategy(generation_mode=mode),
            pick=st.integers(0, 1_000),
            takes_real=st.booleans(),
        )
        def send(case: Any, pick: int, takes_real: bool) -> None:
            nonlocal successes
            if takes_real:
                case.path_parameters = put_real(case.path_parameters, real, pick)
                case.query = put_real(case.query, real, pick)
                given_body = example if example and pick % 2 else case.body
                case.body = put_real(given_body, real, pick)
            response = case.call_and_validate(headers=headers, checks=CHECKS)
            successes += response.status_code < 300

        try:
            send()
        except Unsatisfiable:
            # Nothing can be wrong with a request in which nothing can be given.
            assert mode is GenerationMode.NEGATIVE
    return successes


def example_of(operation: Any) -> Any:
    """Return the documented example of an operation's body, if it takes one."""
    body = operation.definition.raw.get("requestBody", {})
    return body.get("content", {}).get("application/json", {}).get("example")


def put_real(value: Any, real: Real, pick: int) -> Any:
    """Return a value whose fields that name something name something that is there."""
    if isinstance(value, dict):
        return {
            key: real[key][pick % len(real[key])] if key in real else put_real(each, real, pick)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [put_real(each, real, pick + place) for place, each in enumerate(value)]
    return value
