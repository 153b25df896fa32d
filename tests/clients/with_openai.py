"""OpenAI's own Python client, without a single setting but the address. Arguments: base address, recording, `sync` or `async`."""

import asyncio
import sys
from typing import Any

from openai import AsyncOpenAI, OpenAI
from outcomes import HELLO, LONG, SCHEMA, TOOL, Outcomes

URL, RECORDING, WAY = sys.argv[1:4]
LOOP = asyncio.new_event_loop()
client: Any = (OpenAI if WAY == "sync" else AsyncOpenAI)(base_url=f"{URL}/v1", api_key="none", timeout=300)


def done(result: Any) -> Any:
    """Return a result, awaited where the client is asynchronous."""
    return LOOP.run_until_complete(result) if asyncio.iscoroutine(result) else result


def told(stream: Any) -> list[Any]:
    """Return the events of a stream."""
    if WAY == "sync":
        return list(stream)

    async def gathered() -> list[Any]:
        return [event async for event in stream]

    return LOOP.run_until_complete(gathered())


def recording() -> Any:
    return open(RECORDING, "rb")


writer = next(model.id for model in told(client.models.list()) if model.kind == "generate" and not model.alias_of)
chat, audio = client.chat.completions, client.audio
note = {"type": "json_schema", "json_schema": {"name": "note", "schema": SCHEMA, "strict": True}}
outcomes = Outcomes("openai")
outcomes.check("models are listed", lambda: {"whisper-1", "text-embedding-3-small"} <= {m.id for m in told(client.models.list())})
outcomes.check("chat", lambda: done(chat.create(model=writer, messages=HELLO, max_tokens=60)).choices[0].message.content)
outcomes.check(
    "chat, streamed",
    lambda: told(done(chat.create(model=writer, messages=HELLO, max_tokens=60, stream=True)))[-1].choices[0].finish_reason,
)
outcomes.check(
    "chat, cut at max_tokens",
    lambda: done(chat.create(model=writer, messages=HELLO, max_tokens=3)).choices[0].finish_reason == "length",
)
outcomes.check(
    "chat, stop sequence",
    lambda: " " not in done(chat.create(model=writer, messages=HELLO, max_tokens=60, stop=[" "])).choices[0].message.content,
)
outcomes.check(
    "chat, JSON schema",
    lambda: "urgent" in done(chat.create(model=writer, messages=HELLO, response_format=note)).choices[0].message.content,
)
outcomes.check_refused("chat, tools refused in words", lambda: done(chat.create(model=writer, messages=HELLO, tools=[TOOL])))
embed = client.embeddings.create
outcomes.check("embeddings", lambda: len(done(embed(model="text-embedding-3-small", input=["a", "b"])).data) == 2)
outcomes.check(
    "embeddings of token ids",
    lambda: (
        done(embed(model="text-embedding-ada-002", input=[[15339, 1917]])).data[0].embedding[:3]
        == done(embed(model="text-embedding-ada-002", input="hello world")).data[0].embedding[:3]
    ),
)
outcomes.check(
    "embeddings of long texts", lambda: done(embed(model="text-embedding-3-small", input=LONG)).usage.prompt_tokens > 1500
)
transcribe = audio.transcriptions.create
outcomes.check("transcription", lambda: done(transcribe(model="whisper-1", file=recording())).text)
outcomes.check(
    "transcription, verbose_json with words",
    lambda: (
        (
            verbose := done(
                transcribe(model="whisper-1", file=recording(), response_format="verbose_json", timestamp_granularities=["word"])
            )
        ).words
        and verbose.language == "english"
    ),
)
outcomes.check(
    "transcription, en-US at temperature 0.2",
    lambda: done(transcribe(model="gpt-4o-transcribe", file=recording(), language="en-US", temperature=0.2)).text,
)


def streamed() -> bool:
    """Recognised anew (in a language of its own choice), so that the deltas are told while it is heard."""
    events = told(done(transcribe(model="gpt-4o-transcribe", file=recording(), stream=True, language="en", prompt=WAY)))
    return len(events) > 2 and "".join(event.delta for event in events[:-1]) == events[-1].text


outcomes.check("transcription, deltas while it is heard", streamed)
outcomes.check("translation into English", lambda: done(audio.translations.create(model="whisper-1", file=recording())).text)


def deleted() -> bool:
    raw = done(audio.transcriptions.with_raw_response.create(model="whisper-1", file=recording()))
    path = f"{URL}/v1/conversations/{raw.headers['wordloop-conversation-id']}"
    return bool(done(client.delete(path, cast_to=dict[str, Any]))["deleted"])


outcomes.check("found by its headers and deleted", deleted)
outcomes.tell()
