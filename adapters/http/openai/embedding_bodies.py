"""OpenAI's embedding request."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from adapters.http.common.body import Body
from adapters.http.common.fields import Timeout
from ports.embedder import InputType


class EmbeddingsBody(Body):
    """OpenAI's embedding request, and `input_type` for models that tell queries from documents."""

    input: str | list[str] | list[int] | list[list[int]]
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    dimensions: Annotated[int, Field(strict=True, ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: Annotated[str, StringConstraints(max_length=256)] | None = None
    input_type: InputType = InputType.DOCUMENT
    timeout: Timeout | None = None
