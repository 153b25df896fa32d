"""What the OpenAPI document says of the routes that take a recording."""

from typing import Any

from adapters.http.common.documents import inlined
from adapters.http.uploads.bodies import AudioUrlBody
from adapters.http.uploads.forms import AudioForm


def form_body(form: type[AudioForm], url: bool) -> dict[str, Any]:
    """The body of an upload route: a form with a file, or the address of one."""
    schema = inlined(form.model_json_schema())
    schema["properties"] = {"file": {"type": "string", "format": "binary"}, **schema["properties"]}
    schema["required"] = ["file", *schema.get("required", [])]
    content: dict[str, Any] = {"multipart/form-data": {"schema": schema}}
    if url:
        content["application/json"] = {"schema": {"$ref": f"#/components/schemas/{AudioUrlBody.__name__}"}}
    return {"requestBody": {"required": True, "content": content}}
