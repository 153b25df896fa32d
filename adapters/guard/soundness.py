"""Whether an answer can come from an engine that is well: the guard's own rules, told from the request alone, for its replica."""

from typing import Any

from adapters.guard.call import OutputRules
from adapters.guard.checks import checked_usage
from adapters.guard.json_rules import JsonRules
from adapters.guard.probability_rules import ProbabilityRules
from adapters.guard.reading_rules import ReadingRules
from adapters.guard.stretch_rules import StretchRules
from adapters.guard.transcript_rules import TranscriptRules
from adapters.guard.vector_rules import VectorRules
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.errors import InvalidModelOutput
from ports.model_backend import (
    DiarizeRequest,
    EmbedRequest,
    EntailRequest,
    FindRequest,
    GenerateRequest,
    ModelRequest,
    RawOutput,
)


def is_sound(request: ModelRequest, output: RawOutput) -> bool | None:
    """Return whether the guard would take `output` for an answer to `request`; None where its input decides that.

    A text that was cut off breaks its schema, and a caller who allows a single token has every text cut off.
    """
    if isinstance(request, GenerateRequest) and output.payload.get("finish_reason") == "length":
        return None
    try:
        checked_usage(output)
        _rules(request).check(output)
    except InvalidModelOutput:
        return False
    return True


def _rules(request: ModelRequest) -> OutputRules[Any]:
    match request:
        case GenerateRequest():
            # Verbatim is the mildest: which of both a caller asked for does not reach the engine.
            stop = request.parameters.get("stop")
            ends = tuple(map(str, stop)) if isinstance(stop, list | tuple) else ()
            return JsonRules(request.schema, _whole(request.parameters.get("max_tokens")), ends, verbatim=True)
        case EmbedRequest():
            return VectorRules(len(request.texts), _whole(request.parameters.get("dimensions")))
        case FindRequest():
            return ReadingRules(tuple(len(text) for _, text in request.lines))
        case EntailRequest():
            return ProbabilityRules(len(request.claims))
        case DiarizeRequest():
            return StretchRules(_seconds(request.pcm))
    return TranscriptRules(_seconds(request.pcm))


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise InvalidModelOutput("the request has no such number")
    return value


def _seconds(pcm: bytes) -> float:
    return len(pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
