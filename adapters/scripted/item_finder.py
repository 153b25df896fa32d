"""An item finder that reads every line by one rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple
from typing import TypeAlias

from adapters.scripted.backend import SCRIPTED_MODEL
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.canonical import sha256_of
from domain.finding import NOTHING_FOUND, Line, LineReading, Span
from ports.item_finder import ItemFinder
from ports.model_backend import FindRequest, ModelRequest, RawOutput

Rule: TypeAlias = Callable[[Line], LineReading]


def nothing_found(_line: Line) -> LineReading:
    """The rule of a conversation in which nothing was decided, taken on or left open."""
    return NOTHING_FOUND


def by_words(told: Mapping[str, LineReading]) -> Rule:
    """Return the rule that a line with some words in it (the first of `told` that it has, by case) is read as told with them."""

    def rule(line: Line) -> LineReading:
        return next((reading for words, reading in told.items() if words in line.text), NOTHING_FOUND)

    return rule


def span_of(words: str, text: str, probability: float = 0.9) -> Span:
    """Return where `words` stand in `text`. Raises ValueError when they do not."""
    start = text.index(words)
    return Span(start, start + len(words), probability)


class ScriptedItemFinder(ItemFinder):
    """Reads every line by `rule`, or fails with `failure`; keeps in `asked` the stretches it was asked about."""

    def __init__(
        self,
        rule: Rule = nothing_found,
        *,
        failure: Exception | None = None,
        stretch_tokens: int = 1536,
        identity: ModelIdentity = SCRIPTED_MODEL,
    ) -> None:
        self._rule = rule
        self._failure = failure
        self._stretch_tokens = stretch_tokens
        self._identity = identity
        self.asked: list[tuple[Line, ...]] = []

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def stretch_tokens(self) -> int:
        return self._stretch_tokens

    async def find(self, lines: Sequence[Line], context: CallContext) -> Answer[tuple[LineReading, ...]]:
        self.asked.append(tuple(lines))
        if self._failure is not None:
            raise self._failure
        stretch = [[line.speaker or "", line.text] for line in lines]
        spec = CallSpec(CallKind.FIND, sha256_of(stretch), self._identity, {})
        return Answer(tuple(self._rule(line) for line in lines), Provenance.of(spec))


def found_by(rule: Rule = nothing_found) -> Callable[[ModelRequest], RawOutput]:
    """Return what a `ScriptedBackend` says to every finding call: the lines as `rule` reads them, a token for each word."""

    def answer(request: ModelRequest) -> RawOutput:
        assert isinstance(request, FindRequest)
        return found(*(rule(Line(speaker or None, text)) for speaker, text in request.lines), tokens=_words(request))

    return answer


def found(*readings: LineReading, tokens: int = 3) -> RawOutput:
    """Return readings as a backend says them."""
    spans = [{"owner": _plain(reading.owner), "due": _plain(reading.due)} for reading in readings]
    rows = [{**asdict(reading), **both} for reading, both in zip(readings, spans, strict=True)]
    return RawOutput({"lines": rows}, Usage(input_tokens=tokens))


def _words(request: FindRequest) -> int:
    return sum(1 + len(text.split()) for _, text in request.lines)


def _plain(span: Span | None) -> list[float] | None:
    return None if span is None else list(astuple(span))
