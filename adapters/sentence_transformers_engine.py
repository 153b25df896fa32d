"""The embedder in this process: sentence-transformers, batching the texts of all requests together."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.call import ModelIdentity, Usage
from domain.errors import ModelRejected, WordloopError
from ports.model_backend import EmbedRequest, RawOutput

Result = RawOutput | WordloopError


@dataclass(frozen=True, slots=True)
class SentenceTransformersSettings:
    """`batch_size`: texts per forward pass. `threads`: CPU threads of torch, 0 leaves the choice to it."""

    device: str = "cpu"
    batch_size: int = 32
    threads: int = 2


class SentenceTransformersEngine:
    """One warm embedding model."""

    def __init__(self, model_path: str, identity: ModelIdentity, settings: SentenceTransformersSettings) -> None:
        if settings.threads:
            os.environ["OMP_NUM_THREADS"] = str(settings.threads)
        import torch
        from sentence_transformers import SentenceTransformer

        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.identity = identity
        self._settings = settings
        self._model: Any = SentenceTransformer(model_path, device=settings.device, local_files_only=True)
        # The tokenizer's own cut at the end would hide that a text is too long.
        self.max_tokens = int(self._model.max_seq_length)
        self.dimensions = int(self._model.get_embedding_dimension())

    def warm_up(self) -> None:
        """Embed one sentence, so that kernels and caches exist before the first request."""
        self.run([EmbedRequest(("Warm.",), {"input_type": "document", "dimensions": None})])

    def sample(self) -> list[EmbedRequest]:
        """One batch of spoken sentences of the usual length."""
        texts = tuple(
            f"Part {number}: we move the launch to the {number}th, as the crash is not yet repaired." for number in range(16)
        )
        return [EmbedRequest(texts, {"input_type": "document", "dimensions": None})]

    def run(self, batch: Sequence[EmbedRequest]) -> list[Result]:
        """Answer all requests in one pass; a request that can not be served gets its error in its place.

        Vectors are unit length, float32. `input_type` chooses the model's query or document prompt where it has one.
        """
        results: list[Result | None] = [None] * len(batch)
        for input_type in ("query", "document"):
            accepted: list[tuple[int, list[int]]] = []
            for place, request in enumerate(batch):
                if request.parameters.get("input_type", "document") != input_type:
                    continue
                lengths = self._lengths(request.texts)
                refusal = self._refusal(request, lengths)
                if refusal is None:
                    accepted.append((place, lengths))
                else:
                    results[place] = refusal
            for place, output in self._embed(batch, accepted, input_type):
                results[place] = output
        return [result or ModelRejected("input_type must be query or document") for result in results]

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        encoded = self._model.tokenizer(list(texts), add_special_tokens=True, truncation=False, padding=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def _refusal(self, request: EmbedRequest, lengths: Sequence[int]) -> ModelRejected | None:
        for place, length in enumerate(lengths):
            if length > self.max_tokens:
                return ModelRejected(f"text {place} has {length} tokens; the model reads {self.max_tokens}")
        dimensions = request.parameters.get("dimensions")
        if dimensions is not None and not 1 <= int(str(dimensions)) <= self.dimensions:
            return ModelRejected(f"dimensions must be between 1 and {self.dimensions}")
        return None

    def _embed(
        self, batch: Sequence[EmbedRequest], accepted: Sequence[tuple[int, list[int]]], input_type: str
    ) -> list[tuple[int, RawOutput]]:
        texts = [text for place, _ in accepted for text in batch[place].texts]
        if not texts:
            return []
        encode = self._model.encode_query if input_type == "query" else self._model.encode_document
        vectors = encode(texts, batch_size=self._settings.batch_size, normalize_embeddings=True, show_progress_bar=False)
        outputs = []
        start = 0
        for place, lengths in accepted:
            request = batch[place]
            own = vectors[start : start + len(request.texts)]
            start += len(request.texts)
            dimensions = request.parameters.get("dimensions")
            if dimensions is not None:
                own = _truncated(own, int(str(dimensions)))
            usage = Usage(input_tokens=sum(lengths))
            outputs.append((place, RawOutput({"vectors": own.tolist()}, usage)))
        return outputs


def _truncated(vectors: Any, dimensions: int) -> Any:
    """Keep the first `dimensions` components and make the vectors unit length again (Matryoshka use)."""
    import numpy as np

    cut = vectors[:, :dimensions]
    return cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), np.finfo(np.float32).tiny)
