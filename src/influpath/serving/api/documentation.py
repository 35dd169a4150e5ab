"""OpenAPI with examples, and a page that shows it without loading anything from elsewhere."""

from typing import Any

import jinja2
from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

from influpath.serving.api.authentication import COOKIE
from influpath.serving.api.examples import EXAMPLES

SCHEMA = "#/components/schemas/"
KEYS = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key of `influpath keys create`."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Set by /login."},
}

PAGE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ info.title }} {{ info.version }}: API</title>
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<h1>{{ info.title }} {{ info.version }}</h1>
<p>{{ info.description }} Machines read <a href="/openapi.json">openapi.json</a>.</p>
<nav><ul>
{% for place, method, operation in operations %}
<li><a href="#{{ operation.operationId }}"><code>{{ method }} {{ place }}</code></a></li>
{% endfor %}
</ul></nav>
<main>
{% for place, method, operation in operations %}
<section id="{{ operation.operationId }}">
<h2><code>{{ method }} {{ place }}</code></h2>
<p>{{ operation.description or operation.summary }}</p>
{% if operation["x-role"] %}<p>Role: {{ operation["x-role"] }}, or one above it.</p>{% endif %}
{% if operation.parameters %}
<table><caption>Parameters</caption>
{% for each in operation.parameters %}
<tr><th scope="row"><code>{{ each.name }}</code></th><td>{{ each.in }}</td>
<td>{{ "required" if each.required else "" }}</td><td>{{ each.description }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% for kind, media in (operation.requestBody or {}).get("content", {}).items() %}
<h3>Body</h3>
{% if media.example is defined %}<pre>{{ media.example | tojson(2) }}</pre>{% endif %}
{% endfor %}
<h3>Answers</h3>
<dl>
{% for status, answer in operation.responses.items() %}
<dt>{{ status }}</dt><dd>{{ answer.description }}
{% if status < "300" %}
{% for kind, media in answer.get("content", {}).items() if media.example is defined %}
<pre>{{ media.example | tojson(2) }}</pre>
{% endfor %}
{% endif %}
</dd>
{% endfor %}
</dl>
</section>
{% endfor %}
</main>
</body>
</html>
""")
STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: .25rem; }
section { border-top: 1px solid #8886; margin-top: 2rem; }
th, td { text-align: left; padding-right: 1rem; vertical-align: top; }
caption { text-align: left; font-weight: bold; }
"""


def add_documentation(app: FastAPI) -> None:
    """Complete what FastAPI says in ``/openapi.json``, and show it at ``/docs``."""
    described = app.openapi
    shown: list[str] = []

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            complete(described())
        schema = app.openapi_schema
        assert schema is not None
        return schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        if not shown:
            schema = openapi()
            shown.append(PAGE.render(info=schema["info"], operations=list(operations_of(schema))))
        return HTMLResponse(shown[0])

    @app.get("/docs.css", include_in_schema=False)
    async def docs_style() -> Response:
        return Response(STYLE, media_type="text/css")


def operations_of(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return every operation as path, method and what is said of it."""
    return [
        (path, method.upper(), operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def complete(schema: dict[str, Any]) -> None:
    """Add to a schema how to send a key, and an example of every body and answer."""
    schema["components"]["securitySchemes"] = KEYS
    for _, _, operation in operations_of(schema):
        if "x-role" in operation:
            operation["security"] = [{name: []} for name in KEYS]
        for said in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in said.get("content", {}).values():
                example = example_of(media.get("schema", {}))
                if example is not None:
                    media["example"] = example


def example_of(schema: dict[str, Any]) -> Any:
    """Return an example of what a schema describes; None where there is none."""
    if schema.get("type") == "array":
        one = example_of(schema["items"])
        return None if one is None else [one]
    return EXAMPLES.get(schema.get("$ref", "").removeprefix(SCHEMA))
