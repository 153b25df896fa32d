"""OpenAI's embedding answer."""

from typing import Literal

from pydantic import BaseModel, Field

from adapters.http.common.provenance_views import ProvenanceView


class EmbeddingView(BaseModel):
    """One vector: numbers, or base64 of little-endian 32-bit floats."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsView(BaseModel):
    """OpenAI's embedding answer."""

    object: Literal["list"] = "list"
    data: list[EmbeddingView]
    model: str
    usage: EmbeddingUsage = Field(
        description="Tokens of the texts by the served model's count; the same when they were read from the cache"
    )
    provenance: list[ProvenanceView] = Field(description="One entry per model call; not part of OpenAI's answer")
