"""litellm, which other programs speak to models through. Arguments: base address, recording."""

import sys

import httpx
import litellm
from outcomes import HELLO, LONG, SCHEMA, TOOL, Outcomes

URL, RECORDING = sys.argv[1:3]
about = {"api_base": f"{URL}/v1", "api_key": "none", "timeout": 300}
models = httpx.get(f"{URL}/v1/models", trust_env=False).json()["data"]
writer = "openai/" + next(model["id"] for model in models if model["kind"] == "generate" and not model["alias_of"])


def chat(**more: object) -> object:
    return litellm.completion(model=writer, messages=HELLO, **about, **more)


note = {"type": "json_schema", "json_schema": {"name": "note", "schema": SCHEMA, "strict": True}}
outcomes = Outcomes("litellm")
outcomes.check("chat", lambda: chat(max_tokens=60).choices[0].message.content)
outcomes.check("chat, streamed", lambda: list(chat(max_tokens=60, stream=True))[-1].choices[0].finish_reason)
outcomes.check("chat, cut at max_tokens", lambda: chat(max_tokens=3).choices[0].finish_reason == "length")
outcomes.check("chat, stop sequence", lambda: " " not in chat(max_tokens=60, stop=[" "]).choices[0].message.content)
outcomes.check("chat, JSON schema", lambda: "urgent" in chat(response_format=note).choices[0].message.content)
outcomes.check_refused("chat, tools refused in words", lambda: chat(tools=[TOOL]))
EMBEDDER = "openai/text-embedding-3-small"
outcomes.check("embeddings", lambda: len(litellm.embedding(model=EMBEDDER, input=["a", "b"], **about).data) == 2)
outcomes.check("embeddings of token ids", lambda: litellm.embedding(model=EMBEDDER, input=[[15339, 1917]], **about).data)
outcomes.check("embeddings of long texts", lambda: litellm.embedding(model=EMBEDDER, input=[LONG], **about).data)
with open(RECORDING, "rb") as sound:
    outcomes.check("transcription", lambda: litellm.transcription(model="openai/whisper-1", file=sound, **about).text)
outcomes.tell()
