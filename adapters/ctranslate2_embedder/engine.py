"""The embedder: tokenize, encode, mean of the tokens, unit length; the texts of all requests together."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.ctranslate2_embedder.bert import write_ctranslate2
from adapters.ctranslate2_embedder.model_files import EmbeddingModel
from domain.call import ModelIdentity, Usage
from domain.errors import ModelRejected, ModelUnavailable, WordloopError
from domain.long_texts import even_spans
from ports.model_backend import EmbedRequest, RawOutput

Result = RawOutput | WordloopError
SPARE_TOKENS = 16
INPUT_TYPES = ("query", "document")


@dataclass(frozen=True, slots=True)
class CTranslate2EmbedderSettings:
    """`batch_size`: texts per forward pass. `threads`: of the processor."""

    batch_size: int = 32
    threads: int = 2


class CTranslate2Embedder:
    """One warm embedding model, in float32."""

    def __init__(self, folder: Path, identity: ModelIdentity, settings: CTranslate2EmbedderSettings) -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        model = EmbeddingModel.read(folder)
        if model is None:
            raise ModelUnavailable(f"{folder.name} is no BERT model with mean pooling; use engine: sentence-transformers", None)
        self.identity = identity
        self._model = model
        self._settings = settings
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        with tempfile.TemporaryDirectory(prefix="embedder-") as index:
            target = Path(index)
            write_ctranslate2(model, target)
            self._encoder: Any = ctranslate2.Encoder(str(target), compute_type="float32", intra_threads=settings.threads)
        self.max_tokens = model.max_tokens
        self.dimensions = int(model.config["hidden_size"])

    def warm_up(self) -> None:
        """Embed one sentence, so that memory is allocated before the first request."""
        self.run([EmbedRequest(("Warm.",), {"input_type": "document", "dimensions": None})])

    def sample(self) -> list[EmbedRequest]:
        """One batch of spoken sentences of the usual length."""
        texts = tuple(f"Part {part}: we move the launch to the {part}th, as the crash is not yet repaired." for part in range(32))
        return [EmbedRequest(texts, {"input_type": "document", "dimensions": None})]

    def run(self, batch: Sequence[EmbedRequest]) -> list[Result]:
        """Answer all requests in one pass; a request that can not be served gets its error in its place.

        Vectors are unit length, float32. `input_type` chooses the model's query or document prompt where it has one. A text that
        is too long is cut between words where `long_texts` says pool: its vector is the mean of its pieces', by their tokens.
        """
        encoded = [self._encoded(request) for request in batch]
        accepted = [texts for texts in encoded if not isinstance(texts, ModelRejected)]
        vectors = iter(self._vectors([piece for texts in accepted for pieces in texts for piece in pieces]))
        results: list[Result] = []
        for request, texts in zip(batch, encoded, strict=True):
            if isinstance(texts, ModelRejected):
                results.append(texts)
            else:
                results.append(_output([_pooled([next(vectors) for _ in pieces], pieces) for pieces in texts], request, texts))
        return results

    def _encoded(self, request: EmbedRequest) -> list[list[list[int]]] | ModelRejected:
        """Return the tokens of each text in pieces that the model reads: one, but for texts that are too long."""
        kind = str(request.parameters.get("input_type", "document"))
        dimensions = request.parameters.get("dimensions")
        if kind not in INPUT_TYPES:
            return ModelRejected("input_type must be query or document")
        if dimensions is not None and not 1 <= int(str(dimensions)) <= self.dimensions:
            return ModelRejected(f"dimensions must be between 1 and {self.dimensions}")
        before = self._model.prompts.get(kind, "")
        texts = [[encoding.ids] for encoding in self._tokenizer.encode_batch([before + text for text in request.texts])]
        for index, (tokens,) in enumerate(texts):
            if len(tokens) <= self.max_tokens:
                continue
            if request.parameters.get("long_texts") != "pool":
                return ModelRejected(f"text {index} has {len(tokens)} tokens; the model reads {self.max_tokens}")
            texts[index] = self._pieces(request.texts[index], before)
        return texts

    def _pieces(self, text: str, before: str) -> list[list[int]]:
        """Return the tokens of a long text in pieces, each with the words that the model wants before a text."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        most = self.max_tokens - len(self._tokenizer.encode(before).ids)
        # A piece that begins inside a word may have more tokens than it had within: then all are cut a little shorter.
        for room in range(most, 0, -SPARE_TOKENS):
            pieces = [before + text[start:end] for start, end in even_spans(encoding.offsets, room)]
            tokens = [piece.ids for piece in self._tokenizer.encode_batch(pieces)]
            if max(map(len, tokens)) <= self.max_tokens:
                break
        return tokens

    def _vectors(self, texts: Sequence[list[int]]) -> list[Any]:
        """One vector per text, in order; texts of like length share a pass, so that little of it is padding."""
        vectors: list[Any] = [None] * len(texts)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), self._settings.batch_size):
            indices = order[start : start + self._settings.batch_size]
            for index, vector in zip(indices, self._pass([texts[index] for index in indices]), strict=True):
                vectors[index] = vector
        return vectors

    def _pass(self, texts: list[list[int]]) -> Any:
        import numpy as np

        states = np.array(self._encoder.forward_batch(texts).last_hidden_state)
        lengths = np.array([len(tokens) for tokens in texts])
        inside = np.arange(states.shape[1])[None, :] < lengths[:, None]
        return _unit((states * inside[:, :, None]).sum(axis=1) / lengths[:, None])


def _pooled(vectors: list[Any], pieces: Sequence[list[int]]) -> Any:
    """Return the mean of unit vectors, weighted by the tokens behind each, made unit length again."""
    import numpy as np

    if len(vectors) == 1:
        return vectors[0]
    return _unit(np.average(vectors, axis=0, weights=[len(piece) for piece in pieces])[None])[0]


def _output(vectors: list[Any], request: EmbedRequest, texts: Sequence[list[list[int]]]) -> RawOutput:
    dimensions = request.parameters.get("dimensions")
    if dimensions is not None:
        # Matryoshka use: the first components, made unit length again.
        vectors = [_unit(vector[None, : int(str(dimensions))])[0] for vector in vectors]
    read = sum(len(piece) for pieces in texts for piece in pieces)
    return RawOutput({"vectors": [vector.tolist() for vector in vectors]}, Usage(input_tokens=read))


def _unit(vectors: Any) -> Any:
    import numpy as np

    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)).astype(np.float32)
