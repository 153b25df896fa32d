"""The OpenAPI document as one page for people: no script, nothing loaded from elsewhere, readable without a network."""

from collections.abc import Mapping
from html import escape
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h2{margin-top:2.5rem}h3{margin:1.5rem 0 .25rem;font:600 1rem ui-monospace,monospace}table{border-collapse:collapse;width:100%}
td{border-top:1px solid #d0d7de;padding:.25rem .75rem .25rem 0;vertical-align:top}
td:first-child{font-family:ui-monospace,monospace}
a{color:#0550ae}p{margin:.25rem 0 .75rem}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}a{color:#79c0ff}td{border-color:#30363d}}
"""


def add_docs(app: FastAPI) -> None:
    """Serve the page at /docs, made from the document when it is first asked for."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": POLICY})


def page(document: Mapping[str, Any]) -> str:
    """The whole page: routes in order, then the schemas they name."""
    title = escape(document["info"]["title"])
    paragraphs = document["info"].get("description", "").split("\n\n")
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><h1>{title}</h1>',
            *[f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs],
            '<p>The same for machines: <a href="/openapi.json">openapi.json</a></p>',
            "<h2>Routes</h2>",
            *operations,
            "<h2>Schemas</h2>",
            *schemas,
            "</body></html>",
        ]
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = [
        _row(f"{given['name']} ({given['in']})", _type(given.get("schema", {})), given.get("description", ""))
        for given in operation.get("parameters", [])
    ]
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        rows.append(_row("body", escape(media_type), "" if "properties" in schema else _type(schema), raw=True))
        rows += _properties(schema)
    rows += [
        _row(status, ", ".join(_type(c.get("schema", {})) for c in _contents(answer)), answer.get("description", ""))
        for status, answer in operation["responses"].items()
    ]
    head = f'<h3 id="{escape(operation["operationId"])}">{method.upper()} {escape(path)}</h3>'
    return f"{head}<p>{escape(operation.get('description', ''))}</p><table>{''.join(rows)}</table>"


def _contents(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(answer.get("content", {}).values())


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    words = escape(schema.get("description", ""))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{words}</p><table>{"".join(_properties(schema))}</table>'


def _properties(schema: Mapping[str, Any]) -> list[str]:
    required = schema.get("required", [])
    return [
        _row(name, _type(value), ("required. " if name in required else "") + value.get("description", ""))
        for name, value in schema.get("properties", {}).items()
    ]


def _row(name: str, kind: str, words: str, raw: bool = False) -> str:
    """`kind` is HTML already; `words` too when `raw`."""
    return f"<tr><td>{escape(name)}</td><td>{kind}</td><td>{words if raw else escape(words)}</td></tr>"


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, as HTML with links to the named ones."""
    if reference := schema.get("$ref"):
        name = escape(reference.rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(option) for option in options)
    if "enum" in schema:
        return " ".join(escape(str(value)) for value in schema["enum"])
    if "const" in schema:
        return escape(str(schema["const"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "any")))
