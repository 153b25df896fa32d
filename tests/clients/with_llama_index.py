"""LlamaIndex's classes for servers that speak OpenAI's API. Arguments: base address, recording."""

import sys

import httpx
from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from outcomes import LONG, Outcomes

URL = sys.argv[1]
about = {"api_base": f"{URL}/v1", "api_key": "none", "timeout": 300}
models = httpx.get(f"{URL}/v1/models", trust_env=False).json()["data"]
writer = next(model["id"] for model in models if model["kind"] == "generate" and not model["alias_of"])
HELLO = [ChatMessage(role="user", content="Say good morning to the crew.")]


def speaking(most: int) -> OpenAILike:
    return OpenAILike(model=writer, is_chat_model=True, max_tokens=most, **about)


llm = speaking(60)
outcomes = Outcomes("llama-index-llms-openai-like")
outcomes.check("chat", lambda: llm.chat(HELLO).message.content)
outcomes.check("chat, streamed", lambda: list(llm.stream_chat(HELLO))[-1].message.content == llm.chat(HELLO).message.content)
outcomes.check("chat, cut at max_tokens", lambda: speaking(3).chat(HELLO).raw.choices[0].finish_reason == "length")
outcomes.check("chat, stop sequence", lambda: " " not in llm.chat(HELLO, stop=[" "]).message.content)
embedding = OpenAILikeEmbedding(model_name="text-embedding-3-small", **about)
outcomes.check("embeddings", lambda: len(embedding.get_text_embedding_batch(["a", "b"])) == 2)
outcomes.check("embeddings of long texts", lambda: embedding.get_text_embedding(LONG))
outcomes.tell()
