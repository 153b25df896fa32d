"""Model backends for any server that speaks OpenAI's HTTP formats: one per kind over a shared connection."""

from adapters.openai_compatible.backend import OpenAiBackend
from adapters.openai_compatible.chat import ChatBackend
from adapters.openai_compatible.connection import Connection, Server
from adapters.openai_compatible.embeddings import EmbeddingsBackend
from adapters.openai_compatible.transcriptions import TranscriptionsBackend

__all__ = ["ChatBackend", "Connection", "EmbeddingsBackend", "OpenAiBackend", "Server", "TranscriptionsBackend"]
