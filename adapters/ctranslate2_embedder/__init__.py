"""The embedder in this process through CTranslate2: the library that Whisper runs on, and no other."""

from adapters.ctranslate2_embedder.engine import CTranslate2Embedder, CTranslate2EmbedderSettings
from adapters.ctranslate2_embedder.model_files import is_readable

__all__ = ["CTranslate2Embedder", "CTranslate2EmbedderSettings", "is_readable"]
