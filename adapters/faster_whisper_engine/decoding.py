"""Encoder output to text: one batched beam search, and one second try for what comes out badly."""

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
"""Samples drawn at a temperature above 0, the most probable is kept: faster-whisper's own default."""
SECOND_TRY_BEAM = 1
SECOND_TRY_PENALTY = 1.1
SECOND_TRY_NGRAM = 3
"""Tokens in a row that the second try may not write again."""
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
    second_try: bool
    seed: int
    prompt: str | None
    assume_speech: bool


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

    def decode(self, encoded: Any, tokenizer: Any, seconds: Sequence[float], options: DecodingOptions) -> list[Decode]:
        """Return one text per row of `encoded` (rows, frames, width), on any device; `seconds` is the sound in each row."""
        if options.temperature > 0:
            rows = range(len(seconds))
            return [self._sample(rows_of(encoded, [i]), tokenizer, seconds[i], options) for i in rows]
        decodes = self._beam_search(encoded, tokenizer, seconds, options)
        failed = [i for i, decode in enumerate(decodes) if options.second_try and decode.needs_second_try(options.assume_speech)]
        if failed:
            again = self._without_repeats(rows_of(encoded, failed), tokenizer, [seconds[i] for i in failed], options)
            for i, second in zip(failed, again, strict=True):
                decodes[i] = better_of(decodes[i], second)
        return decodes

    def _beam_search(self, encoded: Any, tokenizer: Any, seconds: Sequence[float], options: DecodingOptions) -> list[Decode]:
        return self._search(encoded, tokenizer, seconds, options, beam_size=options.beam_size, patience=PATIENCE)

    def _without_repeats(self, encoded: Any, tokenizer: Any, seconds: Sequence[float], options: DecodingOptions) -> list[Decode]:
        """Decode once more what came out badly, from the same encoder output and with the same weights.

        A search that may not write the same words twice can not loop, and one without a beam takes another path through an
        improbable text. It draws nothing, so it needs neither a seed nor a decoder of its own.
        """
        forbidden: dict[str, Any] = {"repetition_penalty": SECOND_TRY_PENALTY, "no_repeat_ngram_size": SECOND_TRY_NGRAM}
        return self._search(encoded, tokenizer, seconds, options, beam_size=SECOND_TRY_BEAM, **forbidden)

    def _search(
        self, encoded: Any, tokenizer: Any, seconds: Sequence[float], options: DecodingOptions, **search: Any
    ) -> list[Decode]:
        settings = {**self._common(tokenizer), **search}
        results = self._model.model.generate(encoded, [self._prompt(tokenizer, options)] * len(seconds), **settings)
        return [_decode(result, tokenizer, 0.0, length) for result, length in zip(results, seconds, strict=True)]

    def _sample(self, row: Any, tokenizer: Any, seconds: float, options: DecodingOptions) -> Decode:
        """Draw `BEST_OF` samples from a decoder of its own, so that the same seed gives the same text every time.

        CTranslate2 reads the seed once, when a worker thread first draws; a worker that has drawn before goes on
        from where it was. A fresh worker per window costs loading the weights again (0.3 to 0.7 s for Whisper base), which
        only a request that asks for a temperature pays.
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
                row,
                [self._prompt(tokenizer, options)],
                beam_size=1,
                num_hypotheses=BEST_OF,
                sampling_topk=0,
                sampling_temperature=options.temperature,
                **self._common(tokenizer),
            )[0]
        return _decode(result, tokenizer, options.temperature, seconds)

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


def rows_of(encoded: Any, rows: Sequence[int]) -> Any:
    """Return these rows of encoder output, as CTranslate2 takes them.

    All rows in order are handed on where they are; only a part is picked out in host memory, for CTranslate2 cuts nothing itself.
    """
    import ctranslate2

    if list(rows) == list(range(encoded.shape[0])):
        return encoded
    here = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    return storage(np.asarray(here)[list(rows)])


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
