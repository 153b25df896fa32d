"""Encoder output to text: one batched beam search, and one seeded second try for what comes out badly."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.faster_whisper_engine.gates import Decode, better_of

Array = npt.NDArray[Any]

MAX_INITIAL_TIMESTAMP_INDEX = 50
"""The first word starts within the first second (50 steps of 20 ms), faster-whisper's own default."""
BEST_OF = 5
"""Samples drawn by the second try, the most probable is kept: faster-whisper's own default."""
PATIENCE = 1.0
LENGTH_PENALTY = 1.0
MAX_TOKENS = 448
"""Whisper's text context, prompt included."""

_seed_lock = Lock()


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """The part of a request's parameters that one decoder call shares. `prompt` are words to expect."""

    task: str
    beam_size: int
    temperature: float
    fallback_temperature: float
    seed: int
    prompt: str | None


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where the weights are and how they run: what it takes to open them a second time."""

    path: str
    device: str
    compute_type: str
    cpu_threads: int


class Decoder:
    """Decodes rows of encoder output with a loaded CTranslate2 Whisper model."""

    def __init__(self, model: Any, files: ModelFiles) -> None:
        self._model = model
        self._files = files

    def decode(self, encoded: Array, tokenizer: Any, seconds: Sequence[float], options: DecodingOptions) -> list[Decode]:
        """Return one text per row of `encoded` (rows, 1500, width); `seconds` is the sound in each row."""
        if options.temperature > 0:
            rows = range(len(encoded))
            return [self._sample(encoded[i : i + 1], tokenizer, seconds[i], options.temperature, options) for i in rows]
        firsts = self._beam_search(encoded, tokenizer, seconds, options)
        return [
            self._second_try(encoded[i : i + 1], tokenizer, first, options) if first.needs_second_try else first
            for i, first in enumerate(firsts)
        ]

    def _second_try(self, row: Array, tokenizer: Any, first: Decode, options: DecodingOptions) -> Decode:
        if options.fallback_temperature <= 0:
            return first
        return better_of(first, self._sample(row, tokenizer, first.seconds, options.fallback_temperature, options))

    def _beam_search(self, encoded: Array, tokenizer: Any, seconds: Sequence[float], options: DecodingOptions) -> list[Decode]:
        results = self._model.model.generate(
            storage(encoded),
            [self._prompt(tokenizer, options)] * len(encoded),
            beam_size=options.beam_size,
            patience=PATIENCE,
            **self._common(tokenizer),
        )
        return [_decode(result, tokenizer, 0.0, length) for result, length in zip(results, seconds, strict=True)]

    def _sample(self, row: Array, tokenizer: Any, seconds: float, temperature: float, options: DecodingOptions) -> Decode:
        """Draw `BEST_OF` samples from a decoder of its own, so that the same seed gives the same text every time.

        CTranslate2 reads the seed once, when a worker thread first draws; a worker that has drawn before goes on
        from where it was. A fresh worker per try costs loading the weights again (0.3 to 0.7 s for Whisper base).
        """
        import ctranslate2

        with _seed_lock:
            ctranslate2.set_random_seed(options.seed)
            fresh = ctranslate2.models.Whisper(
                self._files.path,
                device=self._files.device,
                compute_type=self._files.compute_type,
                intra_threads=self._files.cpu_threads,
            )
            result = fresh.generate(
                storage(row),
                [self._prompt(tokenizer, options)],
                beam_size=1,
                num_hypotheses=BEST_OF,
                sampling_topk=0,
                sampling_temperature=temperature,
                **self._common(tokenizer),
            )[0]
        return _decode(result, tokenizer, temperature, seconds)

    def _prompt(self, tokenizer: Any, options: DecodingOptions) -> list[int]:
        expected = tokenizer.encode(" " + options.prompt.strip()) if options.prompt and options.prompt.strip() else []
        prompt: list[int] = self._model.get_prompt(tokenizer, expected)
        return prompt

    def _common(self, tokenizer: Any) -> dict[str, Any]:
        from faster_whisper.transcribe import get_suppressed_tokens

        return {
            "length_penalty": LENGTH_PENALTY,
            "max_length": MAX_TOKENS,
            "return_scores": True,
            "return_no_speech_prob": True,
            "suppress_blank": True,
            "suppress_tokens": get_suppressed_tokens(tokenizer, [-1]),
            "max_initial_timestamp_index": MAX_INITIAL_TIMESTAMP_INDEX,
            "repetition_penalty": 1.0,
            "no_repeat_ngram_size": 0,
        }


def storage(rows: Array) -> Any:
    """Return `rows` as CTranslate2 takes them."""
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(rows))


def _decode(result: Any, tokenizer: Any, temperature: float, seconds: float) -> Decode:
    tokens = tuple(result.sequences_ids[0])
    cumulated = result.scores[0] * len(tokens) ** LENGTH_PENALTY
    return Decode(
        tokens=tokens,
        text=tokenizer.decode(list(tokens)).strip(),
        avg_logprob=float(cumulated / (len(tokens) + 1)),
        no_speech_prob=float(result.no_speech_prob),
        temperature=temperature,
        seconds=seconds,
    )
