"""A diarizer that hears in every window what one rule says."""

from collections.abc import Callable
from dataclasses import asdict

from adapters.scripted.backend import SCRIPTED_MODEL
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.canonical import sha256_of
from domain.speakers import Stretch
from domain.voice_clusters import ClusterRules
from ports.diarizer import Diarizer
from ports.model_backend import DiarizeRequest, ModelRequest, RawOutput

SCRIPTED_VOICES = ClusterRules(least_likeness=0.75, one_voice=0.95, half_heard_seconds=2.0, told_apart=0.3)
"""What cosines of scripted voices mean where a script says nothing of it."""
Rule = Callable[[bytes], tuple[Stretch, ...]]


def nobody(_pcm: bytes) -> tuple[Stretch, ...]:
    """The rule of one who hears nobody."""
    return ()


class ScriptedDiarizer(Diarizer):
    """Hears what `rule` says of a window's sound, or fails with `failure`; keeps in `asked` the windows that it was given."""

    def __init__(self, rule: Rule = nobody, *, failure: Exception | None = None, voices: ClusterRules = SCRIPTED_VOICES) -> None:
        self._rule = rule
        self._voices = voices
        self._failure = failure
        self.asked: list[bytes] = []

    @property
    def identity(self) -> ModelIdentity:
        return SCRIPTED_MODEL

    @property
    def voices(self) -> ClusterRules:
        return self._voices

    async def listen(self, pcm: bytes, context: CallContext) -> Answer[tuple[Stretch, ...]]:
        self.asked.append(pcm)
        if self._failure is not None:
            raise self._failure
        return Answer(self._rule(pcm), Provenance.of(CallSpec(CallKind.DIARIZE, sha256_of(pcm), self.identity, {})))


def listened(rule: Rule = nobody) -> Callable[[ModelRequest], RawOutput]:
    """Return what a `ScriptedBackend` says to every window, with the seconds of its sound."""

    def answer(request: ModelRequest) -> RawOutput:
        assert isinstance(request, DiarizeRequest)
        return stretches(*rule(request.pcm), seconds=len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE))

    return answer


def stretches(*heard: Stretch, seconds: float = 2.0) -> RawOutput:
    """Return stretches as a backend says them."""
    rows = [{**asdict(each), "voice": list(each.voice)} for each in heard]
    return RawOutput({"stretches": rows}, Usage(audio_seconds=seconds))
