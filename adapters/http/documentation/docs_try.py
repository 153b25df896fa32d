"""What lets a reader of the page try a call: a command to copy, a form to fill, and the script that sends it."""

import base64
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

JSON, FORM = "application/json", "multipart/form-data"
ADDRESS = "http://127.0.0.1:8000"
SCRIPT = """
"use strict";
const bodyOf = (form) => {
  const file = form.querySelector("input[type=file]");
  if (file && file.files.length) {
    const fields = new FormData();
    fields.append(file.name, file.files[0]);
    for (const input of form.querySelectorAll("[data-field]")) if (input.value) fields.append(input.name, input.value);
    return {body: fields, headers: {}};
  }
  const text = form.querySelector("textarea");
  return text ? {body: text.value, headers: {"Content-Type": "application/json"}} : {headers: {}};
};
const requestOf = (form) => {
  const {body, headers} = bodyOf(form), query = new URLSearchParams(), key = document.getElementById("key").value;
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("[data-in]")) {
    if (!input.value) continue;
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.dataset.in === "query") query.append(input.name, input.value);
    else headers[input.name] = input.value;
  }
  if (key) headers["Authorization"] = `Bearer ${key}`;
  return [path + (query.size ? `?${query}` : ""), {method: form.dataset.method, headers, body}];
};
const pretty = (text, type) => type.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
const send = async (form, shown) => {
  const answer = await fetch(...requestOf(form)), type = answer.headers.get("Content-Type") || "";
  const head = [`${answer.status} ${answer.statusText}`, ...[...answer.headers].map(([name, value]) => `${name}: ${value}`)];
  let text = "";
  const show = (body) => { shown.textContent = head.join("\\n") + "\\n\\n" + body; };
  show(text);
  if (!answer.body) return;
  const decoder = new TextDecoder();
  for (const reader = answer.body.getReader(); ;) {
    const {done, value} = await reader.read();
    if (done) break;
    show(text += decoder.decode(value, {stream: true}));
  }
  if (text) show(pretty(text, type));
};
for (const form of document.querySelectorAll("form[data-path]")) form.addEventListener("submit", (event) => {
  event.preventDefault();
  const shown = form.parentElement.querySelector("output");
  send(form, shown).catch((error) => { shown.textContent = String(error); });
});
"""
DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""Names the script in the page's Content-Security-Policy: this one may run, and no other."""


def command(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A curl command for the operation. Parts of the path that the reader knows stand in capitals."""
    shown = path
    for name in _named(operation, "path"):
        shown = shown.replace(f"{{{name}}}", name.upper())
    content = operation.get("requestBody", {}).get("content", {})
    words = ["curl"]
    if method not in ("get", "post") or (method == "post" and not content):
        words += ["-X", method.upper()] if method != "head" else ["-I"]
    if FORM in content:
        words += ["-F", "file=@meeting.ogg"]
    elif "example" in content.get(JSON, {}):
        words += ["-H", f"content-type: {JSON}", "-d", json.dumps(content[JSON]["example"])]
    return shlex.join([*words, ADDRESS + shown])


def form(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A form that sends the operation to the service that served the page; nothing for bodies that are no form and no JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    if content and not {JSON, FORM} & set(content):
        return ""
    where_and_what = [*_parameters(operation, "path", "query"), *_form_fields(content), *_json_body(content)]
    fields = "".join([*where_and_what, *_parameters(operation, "header")])
    return (
        f'<details><summary>Try it</summary><form data-method="{method.upper()}" data-path="{escape(path)}">{fields}'
        "<button>Send</button></form><output></output></details>"
    )


def _parameters(operation: Mapping[str, Any], *kinds: str) -> Iterator[str]:
    for given in operation.get("parameters", []):
        if given["in"] in kinds:
            required = " required" if given.get("required") else ""
            told = f' placeholder="{escape(given["description"])}"' if "description" in given else ""
            field = f'<input name="{escape(given["name"])}" data-in="{escape(given["in"])}"{told}{required}>'
            yield _label(given["name"], field)


def _form_fields(content: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in content.get(FORM, {}).get("schema", {}).get("properties", {}).items():
        kind = 'type="file"' if schema.get("format") == "binary" else "data-field"
        yield _label(name, f'<input name="{escape(name)}" {kind}>')


def _json_body(content: Mapping[str, Any]) -> Iterator[str]:
    if JSON in content:
        body = json.dumps(content[JSON].get("example", {}), indent=2)
        rows = body.count("\n") + 1
        name = "body, where no file is chosen" if FORM in content else "body"
        yield _label(name, f'<textarea rows="{rows}">{escape(body)}</textarea>')


def _label(name: str, field: str) -> str:
    return f"<label>{escape(name)} {field}</label>"


def _named(operation: Mapping[str, Any], where: str) -> list[str]:
    return [given["name"] for given in operation.get("parameters", []) if given["in"] == where]
