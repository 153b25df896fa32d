"""Embedding models over `POST /embeddings`."""

from typing import Any

from adapters.openai_compatible.connection import Connection
from adapters.openai_compatible.usage import tokens
from domain.call import ModelIdentity
from domain.errors import InvalidModelOutput, ModelRejected
from ports.model_backend import CallMeta, EmbedRequest, ModelBackend, ModelRequest, RawOutput


class EmbeddingsBackend(ModelBackend):
    """One embedding model. `identity.id` is the model's name at the server.

    `send_dimensions` asks a model trained for it (matryoshka) to shorten its vectors; others refuse the field.
    `send_input_type` passes `input_type` on, which servers of asymmetric models read.
    """

    def __init__(
        self,
        connection: Connection,
        identity: ModelIdentity,
        *,
        name: str = "openai_compatible",
        send_dimensions: bool = False,
        send_input_type: bool = False,
    ) -> None:
        self._connection = connection
        self._identity = identity
        self._name = name
        self._sent = [field for field, sent in (("dimensions", send_dimensions), ("input_type", send_input_type)) if sent]

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return self._name

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        if not isinstance(request, EmbedRequest):
            raise ModelRejected("an embedding model only embeds")
        body: dict[str, Any] = {"model": self._identity.id, "input": list(request.texts), "encoding_format": "float"}
        body |= {field: request.parameters[field] for field in self._sent}
        answer = await self._connection.post("embeddings", meta, timeout_s, json=body)
        return RawOutput({"vectors": in_order(answer.get("data"))}, tokens(answer.get("usage")))


def in_order(data: object) -> list[Any]:
    """Return the embeddings by their index: a server may answer in any order. Raises InvalidModelOutput."""
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise InvalidModelOutput("data is not a list of objects")
    by_index = {row.get("index"): row.get("embedding") for row in data if isinstance(row.get("index"), int)}
    if sorted(by_index) != list(range(len(data))):
        raise InvalidModelOutput("the indexes of the vectors are not 0, 1, 2 and so on")
    return [by_index[index] for index in range(len(data))]
