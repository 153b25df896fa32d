"""Official clients, untouched, over a real socket: what they send by themselves is understood, and what they read is whole.

docs/clients.md tells of more clients; `just clients` runs them against a service with real models.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import EMBEDDER, WRITER, vector_of, vocabulary
from openai import BadRequestError, OpenAI

from domain.errors import RateLimited

SOUND = ("call.wav", b"RIFF sound", "audio/wav")
HELLO = [{"role": "user", "content": "Say good morning."}]
TEXT = "Good morning We ship A&B <now> --> on Friday"
CL100K_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"


@pytest.fixture
async def worked(served) -> AsyncIterator[Any]:
    """A service whose jobs are done as they come."""

    async def work() -> None:
        while True:
            if (await served.store.jobs.depth()).get("queued"):
                await served.complete()
            await asyncio.sleep(0.005)

    worker = asyncio.create_task(work())
    yield served
    worker.cancel()


@pytest.fixture
def sync_client(worked) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{worked.client.base_url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def offline_tiktoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tiktoken finds its vocabulary where it keeps what it has downloaded before."""
    (tmp_path / hashlib.sha1(CL100K_URL.encode()).hexdigest()).write_bytes(vocabulary().file.read_bytes())
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


async def test_the_synchronous_client_gets_texts_vectors_answers_and_streams(worked, sync_client):
    def calls() -> dict[str, Any]:
        audio, chat = sync_client.audio, sync_client.chat.completions
        worked.writer.ended = "length"
        return {
            "models": [model.id for model in sync_client.models.list()],
            "model": sync_client.models.retrieve("whisper-1").id,
            "text": audio.transcriptions.create(model="whisper-1", file=SOUND, language="en-US", temperature=0.2).text,
            "english": audio.translations.create(model="whisper-1", file=SOUND, response_format="verbose_json").language,
            "stream": [event.type for event in audio.transcriptions.create(model="whisper-1", file=SOUND, stream=True)],
            "vectors": sync_client.embeddings.create(model="text-embedding-3-small", input=["hello"]).data[0].embedding,
            "answer": chat.create(model=WRITER.id, messages=HELLO, stop=["."], n=1).choices[0],
            "chunks": [chunk.choices[0] for chunk in chat.create(model=WRITER.id, messages=HELLO, stream=True)],
        }

    got = await asyncio.to_thread(calls)

    assert {"whisper-1", "text-embedding-ada-002"} < set(got["models"])
    assert (got["model"], got["text"], got["english"]) == ("whisper-1", TEXT, "english")
    assert got["stream"] == ["transcript.text.delta", "transcript.text.delta", "transcript.text.done"]
    assert got["vectors"] == pytest.approx(vector_of("hello"), abs=1e-6)
    assert (got["answer"].message.content, got["answer"].finish_reason) == ("Good morning.", "length")
    assert "".join(choice.delta.content or "" for choice in got["chunks"]) == "Good morning."
    assert got["chunks"][-1].finish_reason == "length"


async def test_the_client_finds_and_deletes_what_its_calls_stored(worked, sync_client):
    def store() -> tuple[str, str]:
        raw = sync_client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=SOUND)
        assert raw.parse().text == TEXT
        unkept = sync_client.audio.transcriptions.create(model="whisper-1", file=SOUND, extra_body={"store": False})
        assert unkept.text == TEXT
        return raw.headers["location"], raw.headers["wordloop-conversation-id"]

    location, conversation = await asyncio.to_thread(store)

    assert [f"/v1/jobs/{job.id}" for job in await worked.store.jobs.list("default", 5)] == [location]
    assert (await worked.client.delete(f"/v1/conversations/{conversation}")).status_code == 200
    assert await worked.nothing_is_stored()


async def test_langchain_embeds_with_its_own_tokenizer_and_chats(served, offline_tiktoken):
    langchain = pytest.importorskip("langchain_openai")
    about: dict[str, Any] = {"base_url": f"{served.client.base_url}/v1", "api_key": "none", "max_retries": 0}
    texts = ["Wer repariert den Absturz?", "日本語 🎉"]

    vectors = await langchain.OpenAIEmbeddings(model="text-embedding-3-small", **about).aembed_documents(texts)
    own = await langchain.OpenAIEmbeddings(model=EMBEDDER.id, **about).aembed_query(texts[0])
    chat = langchain.ChatOpenAI(model=WRITER.id, **about)
    answer = await chat.ainvoke("Say good morning.", stop=["."])
    streamed = [chunk.text async for chunk in chat.astream("Say good morning.")]
    served.writer.answer = {"title": "Hello"}
    schema = {"title": "A", "type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}}
    shaped = await chat.with_structured_output(schema, method="json_schema").ainvoke("Name it.")
    with pytest.raises(BadRequestError, match="Tools"):
        await chat.bind_tools([schema]).ainvoke("Name it.")
    served.writer.error = RateLimited("later", 1.0)
    with pytest.raises(Exception, match="later"):
        await chat.ainvoke("Say good morning.")

    assert vectors == [pytest.approx(vector_of(text), abs=1e-6) for text in texts]
    assert own == pytest.approx(vector_of(texts[0]), abs=1e-6)
    assert (answer.content, answer.usage_metadata["total_tokens"]) == ("Good morning.", 25)
    assert "".join(streamed) == "Good morning."
    assert shaped == {"title": "Hello"}
