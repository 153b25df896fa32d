"""LangChain's classes for OpenAI, which count tokens with OpenAI's own vocabulary. Arguments: base address, recording."""

import sys

import httpx
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from outcomes import LONG, SCHEMA, TOOL, Outcomes

URL = sys.argv[1]
about = {"base_url": f"{URL}/v1", "api_key": "none", "timeout": 300}
models = httpx.get(f"{URL}/v1/models", trust_env=False).json()["data"]
writer = next(model["id"] for model in models if model["kind"] == "generate" and not model["alias_of"])
chat = ChatOpenAI(model=writer, **about)
SAY = "Say good morning to the crew."
outcomes = Outcomes("langchain-openai")
outcomes.check("chat", lambda: chat.invoke(SAY).usage_metadata["total_tokens"])
outcomes.check("chat, streamed", lambda: "".join(chunk.text for chunk in chat.stream(SAY)) == chat.invoke(SAY).text)
outcomes.check(
    "chat, cut at max_tokens",
    lambda: ChatOpenAI(model=writer, max_tokens=3, **about).invoke(SAY).response_metadata["finish_reason"] == "length",
)
outcomes.check("chat, stop sequence", lambda: " " not in chat.invoke(SAY, stop=[" "]).text)
outcomes.check(
    "chat, JSON schema", lambda: "urgent" in chat.with_structured_output(SCHEMA, method="json_schema").invoke("Is it urgent?")
)
outcomes.check_refused("chat, tools refused in words", lambda: chat.bind_tools([TOOL]).invoke(SAY))
plain = OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False, **about)
counted = OpenAIEmbeddings(model="text-embedding-3-small", **about)
outcomes.check("embeddings", lambda: len(plain.embed_documents(["a", "b"])) == 2)


def near(one: list[float], other: list[float]) -> bool:
    return sum(a * b for a, b in zip(one, other, strict=True)) > 0.999


outcomes.check("embeddings of token ids", lambda: near(counted.embed_query("Größe: 日本語"), plain.embed_query("Größe: 日本語")))
outcomes.check("embeddings of long texts", lambda: near(counted.embed_query(LONG), plain.embed_query(LONG)))
outcomes.tell()
