"""A finished chat answer as OpenAI's stream of chunks.

The words were checked and kept before the first of them leaves: what a stream has said can not be taken back, and the guard
judges an answer as a whole. So a stream begins when the answer is done, and a failed call keeps its HTTP status.
"""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from adapters.http.common.provenance_views import ProvenanceView
from adapters.http.openai.chat_bodies import ChatUsage, ChatView, FinishReason

PIECE = re.compile(r"\s*\S+\s*?|\s+")
"""A word with what stands before it: pieces in which people read, and which join to the very text."""
DONE = ServerSentEvent("[DONE]")


class ChatDelta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    index: int = 0
    delta: ChatDelta
    logprobs: None = None
    finish_reason: FinishReason | None = None


class ChatChunk(BaseModel):
    """One piece of an answer. The last one carries `usage` where it was asked for, and `provenance`, which is ours."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | None = None
    provenance: ProvenanceView | None = None


async def chat_events(view: ChatView, with_usage: bool) -> AsyncIterator[ServerSentEvent]:
    """Yield the chunks of an answer, then `[DONE]`."""
    for chunk in chunks_of(view, with_usage):
        yield ServerSentEvent(chunk.model_dump_json(exclude_unset=True))
    yield DONE


def chunks_of(view: ChatView, with_usage: bool) -> Iterator[ChatChunk]:
    """Yield the role, the words, how they ended and, `with_usage`, a chunk without choices that tells the tokens."""
    about: dict[str, Any] = {"id": view.id, "object": "chat.completion.chunk", "created": view.created, "model": view.model}
    (choice,) = view.choices
    deltas = [ChatDelta(role="assistant", content=""), *(ChatDelta(content=piece) for piece in pieces_of(choice.message.content))]
    for delta in deltas:
        yield ChatChunk(**about, choices=[ChunkChoice(index=0, delta=delta, finish_reason=None)])
    ended = ChunkChoice(index=0, delta=ChatDelta(), finish_reason=choice.finish_reason)
    yield ChatChunk(**about, choices=[ended], provenance=view.provenance)
    if with_usage:
        yield ChatChunk(**about, choices=[], usage=view.usage)


def pieces_of(text: str) -> list[str]:
    """Return the text in pieces of a word each."""
    return PIECE.findall(text)
