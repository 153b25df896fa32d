"""The OpenAPI document as one page for people: an index, examples, and a way to try each call; nothing loaded from elsewhere."""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse

from adapters.http.documentation.docs_try import DIGEST, SCRIPT, command, form

Operation: TypeAlias = tuple[str, str, Mapping[str, Any]]
"""Method, path, and what the document says of them."""

POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{DIGEST}'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOORS = {"docs": "/docs", "openapi": "/openapi.json", "alive": "/livez", "ready": "/readyz"}
"""Where `/` leads: people to the first, programs that do not follow to what they need."""
STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#59636e;--line:#d0d7de;--link:#0550ae;--fill:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--soft:#9198a1;--line:#30363d;--link:#79c0ff;--fill:#161b22}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}h3{margin:2rem 0 .25rem;font:600 1rem ui-monospace,monospace}
table{border-collapse:collapse;width:100%}td{border-top:1px solid var(--line);padding:.25rem .75rem .25rem 0;vertical-align:top}
td:first-child,pre,output,textarea,input,nav a{font-family:ui-monospace,monospace;font-size:.875rem}
a{color:var(--link)}p{margin:.25rem 0 .75rem}nav ul{list-style:none;padding:0;margin:.25rem 0 1rem}nav span{color:var(--soft)}
pre,output{display:block;background:var(--fill);padding:.5rem .75rem;margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
output:empty{display:none}summary{cursor:pointer;color:var(--link)}label{display:block;margin:.5rem 0}
input,textarea{display:block;width:100%;box-sizing:border-box;padding:.25rem .5rem}
input,textarea{color:inherit;background:var(--fill);border:1px solid var(--line)}
button{padding:.35rem 1.25rem;font:inherit}
"""


def add_docs(app: FastAPI) -> None:
    """Serve the page at /docs, made from the document when it is first asked for; `/` leads to it."""

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return JSONResponse(DOORS, HTTPStatus.TEMPORARY_REDIRECT, {"Location": DOORS["docs"]})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": POLICY})


def page(document: Mapping[str, Any]) -> str:
    """The whole page: the index, the routes by what they are about, then the schemas they name."""
    title = escape(document["info"]["title"])
    paragraphs = document["info"].get("description", "").split("\n\n")
    operations = [(method, path, each) for path, known in document["paths"].items() for method, each in known.items()]
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(operation[2]["tags"][0], []).append(operation)
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><h1>{title}</h1>',
            *[f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs],
            '<p>The same for machines: <a href="/openapi.json">openapi.json</a></p>',
            '<label>Key for trying calls, where the service asks for one. It stays in this page. <input id="key" '
            'placeholder="wl_..." autocomplete="off" spellcheck="false"></label>',
            "<nav><h2>Index</h2>",
            *[_index(tag, group) for tag, group in groups.items()],
            '<p><a href="#schemas">Schemas</a></p></nav>',
            *[line for tag, group in groups.items() for line in _group(tag, group)],
            '<h2 id="schemas">Schemas</h2>',
            *[_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())],
            f"<script>{SCRIPT}</script></body></html>",
        ]
    )


def _index(tag: str, group: list[Operation]) -> str:
    links = [
        f'<li><a href="#{escape(each["operationId"])}">{method.upper()} {escape(path)}</a> '
        f"<span>{escape(_first_sentence(each.get('description', '')))}</span></li>"
        for method, path, each in group
    ]
    return f"<b>{escape(tag)}</b><ul>{''.join(links)}</ul>"


def _first_sentence(words: str) -> str:
    return words.split("\n", maxsplit=1)[0].split(". ", maxsplit=1)[0].rstrip(".")


def _group(tag: str, group: list[Operation]) -> list[str]:
    return [f"<h2>{escape(tag)}</h2>", *[_operation(*operation) for operation in group]]


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
    example = f"<pre>{escape(command(method, path, operation))}</pre>{form(method, path, operation)}"
    return f"{head}<p>{escape(operation.get('description', ''))}</p>{example}<table>{''.join(rows)}</table>"


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
