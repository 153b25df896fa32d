"""The language model in this process: llama.cpp, continuous batching, schema-guided decoding."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from adapters.llama_cpp_engine.prefixes import SavedPrefixes
from adapters.llama_cpp_engine.prompt_tokens import ChatTokenizer, PromptTokens
from adapters.llama_cpp_engine.server import LlamaCppServer, LlamaCppSettings
from adapters.llama_cpp_engine.slots import Slots
from domain.call import ModelIdentity, Usage
from domain.canonical import Json, sha256_of
from domain.errors import ModelRejected, ModelUnavailable
from ports.model_backend import CallMeta, GenerateRequest, RawOutput

COMPACT_JSON: Final[dict[str, Json]] = {"whitespace_flexible": False}
"""Spaces between JSON tokens cost decoding steps and say nothing (llguidance's own key of a schema)."""
NEUTRAL: Final[dict[str, Json]] = {
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "xtc_probability": 0.0,
    "mirostat": 0,
    "ignore_eos": False,
    "stream": False,
    # The order of OpenAI's and vLLM's sampling; llama.cpp's own cuts first and then warms.
    "samplers": ["temperature", "top_p"],
}
"""Every sampler that nobody asked for is switched off by name: llama.cpp's defaults are not neutral."""
FINISHED: Final = {"eos": "stop", "word": "stop", "limit": "length"}
SCHEMAS_KNOWN: Final = 256


class LlamaCppEngine:
    """One llama.cpp engine; call `warm_up` before the first request, `shutdown` when done with it."""

    def __init__(self, model_file: Path, identity: ModelIdentity, settings: LlamaCppSettings) -> None:
        self.identity = identity
        self.context_tokens = settings.context_tokens
        self._server = LlamaCppServer(model_file, settings)
        self._tokenizer = ChatTokenizer(self._server)
        self._prefixes = SavedPrefixes(self._server)
        self._slots = Slots(settings.max_num_seqs, settings.max_queued_requests)
        self._schemas: set[str] = set()

    async def warm_up(self) -> None:
        """Answer one word, so that the weights are in memory before the first request."""
        parameters: dict[str, Json] = {"max_tokens": 1, "temperature": 0.0, "top_p": 1.0, "seed": 0}
        await self.generate(GenerateRequest((("system", "Go."), ("user", "Go")), None, parameters), CallMeta())

    async def generate(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        """Answer one request; cancelling the task stops the engine's work on it between two batches.

        Raises ModelRejected when the prompt does not fit the context or the schema has no meaning, ModelOverloaded when the
        engine's queue is full, ModelUnavailable when the engine has died.
        """
        tokens = await self._tokenizer.tokens(request.messages)
        most = int(str(request.parameters["max_tokens"]))
        self._require_room(tokens, most)
        await self._require_schema(request.schema)
        async with self._slots.taken() as slot:
            copied = await self._prefixes.bring(slot, tokens.prefix)
            slot_options: dict[str, Json] = {"id_slot": slot, "cache_prompt": copied}
            answer = await self._server.post("/completion", _body(request, tokens, most) | slot_options)
        return _output(answer, tokens)

    async def check_health(self) -> None:
        """Raise when the engine can no longer answer."""
        await self._server.check_health()

    def shutdown(self) -> None:
        """End the engine's threads and give its memory back."""
        self._server.close()

    def _require_room(self, tokens: PromptTokens, most: int) -> None:
        room = self.context_tokens - len(tokens)
        if room < most:
            raise ModelRejected(f"prompt of {len(tokens)} tokens leaves {room} of {self.context_tokens} for the answer")

    async def _require_schema(self, schema: Any) -> None:
        """Let the server judge a schema once: its completion route goes on unguided with one that it can not read."""
        name = sha256_of(schema) if schema else ""
        if not schema or name in self._schemas:
            return
        guided = {"type": "json_schema", "json_schema": {"schema": dict(schema)}}
        chat = {"messages": [{"role": "user", "content": "."}], "response_format": guided}
        await self._server.post("/v1/chat/completions/input_tokens", chat)
        if len(self._schemas) >= SCHEMAS_KNOWN:
            self._schemas.clear()
        self._schemas.add(name)


def _body(request: GenerateRequest, tokens: PromptTokens, most: int) -> dict[str, Any]:
    wanted = {name: request.parameters[name] for name in ("temperature", "top_p", "seed")}
    wanted["stop"] = request.parameters.get("stop", [])
    guided = {"json_schema": {**request.schema, "x-guidance": COMPACT_JSON}} if request.schema else {}
    return {**NEUTRAL, **wanted, **guided, "prompt": tokens.all, "n_predict": most}


def _output(answer: Mapping[str, Any], tokens: PromptTokens) -> RawOutput:
    reason = FINISHED.get(str(answer.get("stop_type")))
    if reason is None:
        raise ModelUnavailable("the language model ended without an answer", None)
    timings = answer["timings"]
    usage = Usage(
        input_tokens=len(tokens),
        output_tokens=int(timings["predicted_n"]),
        cached_input_tokens=int(timings["cache_n"]),
    )
    return RawOutput({"text": answer["content"], "finish_reason": reason}, usage)
