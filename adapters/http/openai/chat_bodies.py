"""OpenAI's chat request, as far as it is honoured, and its answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from adapters.http.common.body import Body
from adapters.http.common.problems import HttpProblem
from adapters.http.common.provenance_views import ProvenanceView
from domain.call import Answer, PromptReference
from domain.canonical import sha256_of
from domain.prompt import RenderedPrompt, Sampling

MOST_MESSAGES = 1_024
PROMPT_NAME, PROMPT_VERSION = "chat", "2"
"""How prompts of callers are named in provenance: the words are theirs, the rules of this route ours."""
DEFAULT_TOKENS = 512
"""Tokens of an answer when the request names no bound: a few paragraphs, and not a whole context on two cores."""
MOST_STOPS = 4
"""Stop sequences of one request (OpenAI's bound)."""
LONGEST_STOP = 64
"""Characters of a stop sequence: a line that ends a part of a text is shorter."""
NOTHING: tuple[Any, ...] = (None, False, 0, [], {}, "none", "auto")
"""Values with which a client says that it does not use a field."""
UNSUPPORTED = {
    "tools": "Tools are not supported.",
    "tool_choice": "Tools are not supported.",
    "functions": "Functions are not supported.",
    "function_call": "Functions are not supported.",
    "logprobs": "Log-probabilities are not kept.",
    "top_logprobs": "Log-probabilities are not kept.",
    "logit_bias": "Biases are not supported.",
    "presence_penalty": "Penalties are not supported.",
    "frequency_penalty": "Penalties are not supported.",
    "audio": "Only text is written.",
    "prediction": "Predicted output is not supported.",
    "web_search_options": "Nothing is looked up.",
    "moderation": "Answers are not moderated.",
}
"""Fields that would change the answer and are not honoured, refused when they are used."""


class TextPart(Body):
    """A part of a message; other types than text are not read."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """What somebody says. Members that OpenAI's own answers carry beside the words are read over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[tuple[TextPart, ...], Field(min_length=1, max_length=MOST_MESSAGES)]

    @property
    def pair(self) -> tuple[str, str]:
        """Role and words; `developer` is OpenAI's newer word for `system`."""
        words = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)
        return "system" if self.role == "developer" else self.role, words


class AnswerSchema(BaseModel):
    """The schema that an answer follows, always to the letter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    description: str | None = None
    answer: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class ResponseFormat(Body):
    """Free text, any JSON object, or one that follows a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: AnswerSchema | None = None


class StreamOptions(BaseModel):
    """What a stream tells besides the answer; further members are read over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: bool = False


Stop = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_STOP)]


class ChatBody(BaseModel):
    """OpenAI's chat request. The default is greedy (temperature 0), so that a request asked again is read from the cache.

    `stream` sends the finished answer in pieces. `store` false keeps no answer in the cache. Fields that change nothing here
    (`user`, `metadata` ...) are read over; those that would are refused.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1, max_length=MOST_MESSAGES)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    max_tokens: Annotated[int, Field(strict=True, ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(strict=True, ge=1)] | None = None
    temperature: Annotated[float, Field(strict=True, ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(strict=True, gt=0, le=1)] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] | None = None
    n: Annotated[int, Field(strict=True)] | None = None
    response_format: ResponseFormat | None = None
    stop: Stop | Annotated[tuple[Stop, ...], Field(max_length=MOST_STOPS)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None

    def refuse_unsupported(self) -> None:
        """Raise HttpProblem (400) for a field that is used and would be ignored."""
        if self.n not in (None, 1):
            raise HttpProblem("unsupported_parameter", "One answer is given to a request; send n=1 or leave it out.", "n")
        given = self.model_extra or {}
        for name, why in UNSUPPORTED.items():
            if given.get(name) not in NOTHING:
                raise HttpProblem("unsupported_parameter", why, name)
        if self.stops and self.response_format is not None and self.response_format.type != "text":
            raise HttpProblem("unsupported_parameter", "JSON ends where it ends; leave stop out.", "stop")
        if given.get("modalities") not in (None, ["text"]):
            raise HttpProblem("unsupported_parameter", "Only text is written.", "modalities")

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop sequences, however many were sent."""
        return (self.stop,) if isinstance(self.stop, str) else self.stop or ()

    def prompt(self, schema: dict[str, Any] | None, context_tokens: int) -> RenderedPrompt:
        """Return what is sent to the model. Raises HttpProblem (400) for more tokens than the model has."""
        asked = self.max_completion_tokens or self.max_tokens
        if asked is not None and asked >= context_tokens:
            text = f"The model reads and writes {context_tokens} tokens together."
            raise HttpProblem(
                "unsupported_parameter", text, "max_completion_tokens" if self.max_completion_tokens else "max_tokens"
            )
        sampling = Sampling(
            max_tokens=asked or min(DEFAULT_TOKENS, context_tokens // 2),
            temperature=self.temperature or 0.0,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=Sampling(1).seed if self.seed is None else self.seed,
            stop=self.stops,
        )
        digest = sha256_of({"schema": schema, "sampling": sampling.parameters()})
        messages = tuple(message.pair for message in self.messages)
        reference = PromptReference(PROMPT_NAME, PROMPT_VERSION, digest)
        return RenderedPrompt(reference, messages, schema, sampling, verbatim=True)


FinishReason = Literal["stop", "length"]
"""`length`: the answer reached its token limit, or the model's, and ends where it was."""


class AssistantMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    index: int = 0
    message: AssistantMessage
    logprobs: None = None
    finish_reason: FinishReason


class CachedTokens(BaseModel):
    cached_tokens: int


class ChatUsage(BaseModel):
    """Tokens of the served model; the same for an answer that came from the cache (`provenance.usage` says what was used)."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class ChatView(BaseModel):
    """OpenAI's chat answer; `provenance` is ours. `created` in Unix seconds; the same call has the same id."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    provenance: ProvenanceView

    @classmethod
    def of(cls, answer: Answer[Any], now: float) -> "ChatView":
        """The words as they were written, and how they ended. `now` in Unix seconds."""
        call = answer.provenance
        usage = call.size
        message = AssistantMessage(content=answer.value["text"])
        return cls(
            id=f"chatcmpl-{call.key[:32]}",
            created=int(now),
            model=call.model.id,
            choices=[ChatChoice(message=message, finish_reason=answer.value["finish_reason"])],
            usage=ChatUsage(
                prompt_tokens=usage.input_tokens,
                completion_tokens=usage.output_tokens,
                total_tokens=usage.input_tokens + usage.output_tokens,
                prompt_tokens_details=CachedTokens(cached_tokens=usage.cached_input_tokens),
            ),
            provenance=ProvenanceView.of(call),
        )
