"""Language models over `POST /chat/completions`."""

from typing import Any

from adapters.openai_compatible.connection import Connection
from adapters.openai_compatible.usage import first, tokens
from domain.call import ModelIdentity
from domain.errors import InvalidModelOutput, ModelRejected
from ports.model_backend import CallMeta, GenerateRequest, ModelBackend, ModelRequest, RawOutput


class ChatBackend(ModelBackend):
    """One chat model. `identity.id` is the model's name at the server.

    `max_tokens_field`: OpenAI's newer models read `max_completion_tokens` only, most other servers `max_tokens`. `strict`
    asks for guaranteed adherence to the schema; servers that limit which schemas they guarantee answer 400 (ModelRejected).
    """

    def __init__(
        self,
        connection: Connection,
        identity: ModelIdentity,
        *,
        name: str = "openai_compatible",
        max_tokens_field: str = "max_tokens",
        strict: bool = True,
    ) -> None:
        self._connection = connection
        self._identity = identity
        self._name = name
        self._max_tokens_field = max_tokens_field
        self._strict = strict

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return self._name

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        if not isinstance(request, GenerateRequest):
            raise ModelRejected("a chat model only generates")
        answer = await self._connection.post("chat/completions", meta, timeout_s, json=self._body(request))
        choice = first(answer.get("choices"), "choices")
        message = choice.get("message")
        if not isinstance(message, dict):
            raise InvalidModelOutput("the choice holds no message")
        if message.get("refusal"):
            raise ModelRejected("the model refused to answer")
        payload = {"text": message.get("content"), "finish_reason": choice.get("finish_reason")}
        return RawOutput(payload, tokens(answer.get("usage")))

    def _body(self, request: GenerateRequest) -> dict[str, Any]:
        parameters = dict(request.parameters)
        body: dict[str, Any] = {
            "model": self._identity.id,
            "messages": [{"role": role, "content": words} for role, words in request.messages],
            self._max_tokens_field: parameters.pop("max_tokens"),
            **parameters,
            "n": 1,
            "stream": False,
        }
        if request.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.schema, "strict": self._strict},
            }
        return body
