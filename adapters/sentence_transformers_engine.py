"""The embedder in this process: sentence-transformers, batching the texts of all requests together."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.call import ModelIdentity, Usage
from domain.errors import ModelRejected, WordloopError
from domain.long_texts import even_spans
from ports.model_backend import EmbedRequest, RawOutput

Result = RawOutput | WordloopError
Pieces = list[tuple[str, int]]
"""A text in pieces that the model reads, each with its tokens: one piece, but for texts that are too long."""
SPARE_TOKENS = 16


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

        Vectors are unit length, float32. `input_type` chooses the model's query or document prompt where it has one. A text that
        is too long is cut between words where `long_texts` says pool: its vector is the mean of its pieces', by their tokens.
        """
        results: list[Result | None] = [None] * len(batch)
        for input_type in ("query", "document"):
            accepted: list[tuple[int, list[Pieces]]] = []
            for index, request in enumerate(batch):
                if request.parameters.get("input_type", "document") != input_type:
                    continue
                texts = self._cut(request, [[piece] for piece in self._measured(request.texts)])
                refusal = self._refusal(request, texts)
                if refusal is None:
                    accepted.append((index, texts))
                else:
                    results[index] = refusal
            for index, output in self._embed(batch, accepted, input_type):
                results[index] = output
        return [result or ModelRejected("input_type must be query or document") for result in results]

    def _measured(self, texts: Sequence[str]) -> Pieces:
        encoded = self._model.tokenizer(list(texts), add_special_tokens=True, truncation=False, padding=False)
        return [(text, len(ids)) for text, ids in zip(texts, encoded["input_ids"], strict=True)]

    def _cut(self, request: EmbedRequest, texts: list[Pieces]) -> list[Pieces]:
        """Cut what is too long where the request says so and the tokenizer tells where its tokens stand."""
        if request.parameters.get("long_texts") != "pool" or not self._model.tokenizer.is_fast:
            return texts
        return [self._pieces(pieces[0][0]) if pieces[0][1] > self.max_tokens else pieces for pieces in texts]

    def _pieces(self, text: str) -> Pieces:
        encoded = self._model.tokenizer(text, add_special_tokens=False, truncation=False, return_offsets_mapping=True)
        most = self.max_tokens - self._model.tokenizer.num_special_tokens_to_add()
        # A piece that begins inside a word may have more tokens than it had within: then all are cut a little shorter.
        for room in range(most, 0, -SPARE_TOKENS):
            pieces = self._measured([text[start:end] for start, end in even_spans(encoded["offset_mapping"], room)])
            if max(length for _, length in pieces) <= self.max_tokens:
                break
        return pieces

    def _refusal(self, request: EmbedRequest, texts: Sequence[Pieces]) -> ModelRejected | None:
        for index, pieces in enumerate(texts):
            if pieces[0][1] > self.max_tokens:
                return ModelRejected(f"text {index} has {pieces[0][1]} tokens; the model reads {self.max_tokens}")
        dimensions = request.parameters.get("dimensions")
        if dimensions is not None and not 1 <= int(str(dimensions)) <= self.dimensions:
            return ModelRejected(f"dimensions must be between 1 and {self.dimensions}")
        return None

    def _embed(
        self, batch: Sequence[EmbedRequest], accepted: Sequence[tuple[int, list[Pieces]]], input_type: str
    ) -> list[tuple[int, RawOutput]]:
        texts = [text for _, cut in accepted for pieces in cut for text, _ in pieces]
        if not texts:
            return []
        encode = self._model.encode_query if input_type == "query" else self._model.encode_document
        vectors = encode(texts, batch_size=self._settings.batch_size, normalize_embeddings=True, show_progress_bar=False)
        outputs, following = [], iter(vectors)
        for index, cut in accepted:
            own = _pooled([[next(following) for _ in pieces] for pieces in cut], cut)
            dimensions = batch[index].parameters.get("dimensions")
            if dimensions is not None:
                own = _truncated(own, int(str(dimensions)))
            usage = Usage(input_tokens=sum(length for pieces in cut for _, length in pieces))
            outputs.append((index, RawOutput({"vectors": own.tolist()}, usage)))
        return outputs


def _pooled(vectors: Sequence[Sequence[Any]], texts: Sequence[Pieces]) -> Any:
    """Return a row per text: the mean of its pieces' unit vectors, weighted by their tokens, made unit length again."""
    import numpy as np

    weights = [[length for _, length in pieces] for pieces in texts]
    rows = [own[0] if len(own) == 1 else np.average(own, axis=0, weights=by) for own, by in zip(vectors, weights, strict=True)]
    stacked = np.stack(rows)
    return _truncated(stacked, stacked.shape[1]).astype(np.float32)


def _truncated(vectors: Any, dimensions: int) -> Any:
    """Keep the first `dimensions` components and make the vectors unit length again (Matryoshka use)."""
    import numpy as np

    cut = vectors[:, :dimensions]
    return cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), np.finfo(np.float32).tiny)
