"""A model at an OpenAI-compatible server, of any kind that such a server has a route for."""

from adapters.openai_compatible.chat import ChatBackend
from adapters.openai_compatible.connection import Connection, Server
from adapters.openai_compatible.embeddings import EmbeddingsBackend
from adapters.openai_compatible.transcriptions import TranscriptionsBackend
from domain.call import ModelIdentity
from ports.model_backend import CallMeta, GenerateRequest, ModelBackend, ModelRequest, RawOutput, TranscribeRequest


class OpenAiBackend(ModelBackend):
    """One model at the server under `base_url` (with `/v1`), asked over the route that its requests need.

    For the switches of one kind (`strict`, `max_tokens_field`, `send_dimensions` ...) build that kind's own backend.
    """

    def __init__(
        self, base_url: str, identity: ModelIdentity, *, api_key: str | None = None, name: str = "openai_compatible"
    ) -> None:
        self._identity = identity
        self._name = name
        self._connection = Connection(Server(base_url, api_key))
        self._chat = ChatBackend(self._connection, identity, name=name)
        self._transcriptions = TranscriptionsBackend(self._connection, identity, name=name)
        self._embeddings = EmbeddingsBackend(self._connection, identity, name=name)

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return self._name

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        if isinstance(request, GenerateRequest):
            return await self._chat.call(request, meta, timeout_s)
        if isinstance(request, TranscribeRequest):
            return await self._transcriptions.call(request, meta, timeout_s)
        return await self._embeddings.call(request, meta, timeout_s)

    async def close(self) -> None:
        """Close the connections. The backend can not be used afterwards."""
        await self._connection.close()
