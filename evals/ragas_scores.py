"""The metrics of ragas that need no judge, over the served embedder: a second opinion on likeness (group `evals`)."""

import asyncio
import os
from typing import Any, Final

from evals.recap_models import Models
from evals.recap_scores import readable

SEMANTIC: Final = "ragas_semantic_similarity"
RAGAS: Final = ("ragas_rouge_l", SEMANTIC, "ragas_string_similarity")


class RagasScores:
    """Scores a summary against its reference. Raises ModuleNotFoundError, with what to do, where ragas is not installed."""

    def __init__(self, models: Models) -> None:
        os.environ.setdefault("RAGAS_DO_NOT_TRACK", "true")
        try:
            from ragas.embeddings.base import BaseRagasEmbedding
            from ragas.metrics.collections import NonLLMStringSimilarity, RougeScore, SemanticSimilarity
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("the full tier needs ragas: uv sync --group evals") from error

        class Served(BaseRagasEmbedding):  # type: ignore[misc]  # ragas is not typed for us
            """The embedder of this service, which refuses texts that its model reads only in part."""

            def embed_text(self, text: str, **_options: Any) -> list[float]:
                return list(models.vectors([text])[0])

            async def aembed_text(self, text: str, **_options: Any) -> list[float]:
                return await asyncio.to_thread(self.embed_text, text)

        made = (RougeScore(rouge_type="rougeL"), SemanticSimilarity(embeddings=Served()), NonLLMStringSimilarity())
        self._metrics = dict(zip(RAGAS, made, strict=True))

    def __call__(self, reference: str, summary: str, language: str = "en") -> dict[str, float]:
        """Return the score of each metric by name; likeness in meaning is that of the beginnings that the embedder reads."""
        found = {}
        for name, metric in self._metrics.items():
            pair = (reference, summary)
            if name == SEMANTIC:
                pair = (readable(reference, language), readable(summary, language))
            found[name] = float(metric.score(reference=pair[0], response=pair[1]).value)
        return found
