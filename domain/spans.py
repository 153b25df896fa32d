"""Stretches of time laid over one another."""

from collections.abc import Iterable, Sequence

from domain.audio import Span


def overlap(one: Span, other: Span) -> float:
    """Return the seconds that both hold; negative, how far they lie apart."""
    return min(one.end, other.end) - max(one.start, other.start)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the time that the spans hold together, ordered and disjoint."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def without(span: Span, others: Sequence[Span]) -> list[Span]:
    """Return the parts of `span` that none of the ordered, disjoint `others` holds."""
    parts: list[Span] = []
    position = span.start
    for other in others:
        if other.end <= position:
            continue
        if other.start >= span.end:
            break
        if other.start > position:
            parts.append(Span(position, other.start))
        position = other.end
    if position < span.end:
        parts.append(Span(position, span.end))
    return parts
