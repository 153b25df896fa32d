"""The language model in this process through llama.cpp: reads GGUF as it is, on any processor with AVX2."""

from adapters.llama_cpp_engine.engine import LlamaCppEngine
from adapters.llama_cpp_engine.server import LlamaCppSettings

__all__ = ["LlamaCppEngine", "LlamaCppSettings"]
