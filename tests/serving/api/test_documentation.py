"""OpenAPI: everything has an example that fits, and the page needs nothing from elsewhere."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema_rs import validator_for
from pydantic import TypeAdapter

from influpath.serving import schemas
from influpath.serving.api.documentation import operations_of
from influpath.serving.api.examples import EXAMPLES
from influpath.serving.api.routes.health import Status
from influpath.serving.api.routes.session import KeyIn, SignedIn

from .client import client_of


@pytest.fixture
def schema(app: FastAPI) -> Any:
    with client_of(app) as client:
        return client.get("/openapi.json").json()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_its_model_takes_and_says(name: str) -> None:
    models = {"Status": Status, "KeyIn": KeyIn, "SignedIn": SignedIn}
    model = models.get(name) or getattr(schemas, name)
    TypeAdapter(model).validate_json(TypeAdapter(Any).dump_json(EXAMPLES[name]))


def test_every_body_and_answer_has_an_example_that_fits_its_schema(schema: Any) -> None:
    shown = 0
    for path, method, operation in operations_of(schema):
        for said in (operation.get("requestBody", {}), *operation["responses"].values()):
            for kind, media in said.get("content", {}).items():
                if kind != "application/json" or media["schema"] in ({}, LIST_OF_TEXT):
                    continue
                assert "example" in media, (path, method)
                validator_for({**media["schema"], "components": schema["components"]}).validate(
                    media["example"]
                )
                shown += 1
    assert shown > 150


LIST_OF_TEXT = {"items": {"type": "string"}, "type": "array", "title": "Response List Categories"}


def test_operations_are_named_told_and_tagged(schema: Any) -> None:
    operations = operations_of(schema)
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)
    for path, _, operation in operations:
        assert operation["tags"], path
        assert operation["summary"] or operation["description"], path
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert answer["content"]["application/json"]["schema"] == {
                    "$ref": "#/components/schemas/Problem"
                }


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(
    app: FastAPI, schema: Any
) -> None:
    with client_of(app) as client:
        page = client.get("/docs").text
        assert client.get("/docs.css").headers["content-type"].startswith("text/css")
    for _, _, operation in operations_of(schema):
        assert f'id="{operation["operationId"]}"' in page
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<script" not in page
