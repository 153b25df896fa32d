"""What the item finder makes of every line: asked in stretches, each with a margin of what stands around it."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from application.bounded_calls import DEGRADABLE, estimated_tokens, in_step, reason
from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from domain.call import Answer, CallContext, Provenance
from domain.finding import NOTHING_FOUND, LineReading
from ports.item_finder import ItemFinder

ORDER_REACH = 3
"""Lines beside an order that are withheld with it. No more, or one such line would silence the rest of a lecture."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading for each line; `failure` is the reason for which there is nothing in any of them.

    `orders`: indices of lines that speak to a machine; there is nothing in their readings.
    """

    lines: tuple[LineReading, ...]
    provenance: tuple[Provenance, ...] = ()
    failure: str | None = None
    orders: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines `[first, end)` are asked about; those of `[begins, ends)` are read with them."""

    begins: int
    first: int
    end: int
    ends: int


async def read_without_orders(
    lines: Sequence[SpokenLine], finder: ItemFinder, settings: RecapSettings, context: CallContext
) -> Reading:
    """Read a conversation; once more without the lines that speak to a machine if there are any, since every line is read in the
    light of those beside it.
    """
    first = await read_lines(lines, finder, settings, context)
    orders = _orders(lines, first.lines, settings.minimum_order)
    if not orders:
        return first
    heard = [line for index, line in enumerate(lines) if index not in orders]
    second = await read_lines(heard, finder, settings, context)
    left = iter(second.lines)
    read = tuple(NOTHING_FOUND if index in orders else next(left) for index in range(len(lines)))
    return Reading(read, (*first.provenance, *second.provenance), second.failure, orders)


def _orders(lines: Sequence[SpokenLine], readings: Sequence[LineReading], minimum: float) -> frozenset[int]:
    """Return the lines that speak to a machine, with what the same speaker says right before and after: an order may take two
    breaths.
    """
    found = {index for index, each in enumerate(readings) if each.order >= minimum}
    for index in tuple(found):
        for step in (-1, 1):
            beside = index + step
            while 0 <= beside < len(lines) and abs(beside - index) <= ORDER_REACH and _goes_on(lines[beside], lines[index]):
                found.add(beside)
                beside += step
    return frozenset(found)


def _goes_on(line: SpokenLine, order: SpokenLine) -> bool:
    return line.speaker is not None and line.speaker == order.speaker


async def read_lines(lines: Sequence[SpokenLine], finder: ItemFinder, settings: RecapSettings, context: CallContext) -> Reading:
    """Read a conversation of any length, in time linear in it."""
    stretches = list(
        stretches_of([estimated_tokens(line.shown) for line in lines], finder.stretch_tokens, settings.margin_tokens)
    )

    def call(stretch: Stretch) -> Callable[[], Awaitable[Answer[tuple[LineReading, ...]]]]:
        async def find() -> Answer[tuple[LineReading, ...]]:
            return await finder.find([line.read for line in lines[stretch.begins : stretch.ends]], context)

        return find

    try:
        answers = await in_step([call(stretch) for stretch in stretches], settings.concurrent_calls)
    except DEGRADABLE as error:
        why = f"{reason(error, 'item_finder')}: decisions, action items and open questions"
        return Reading(tuple(NOTHING_FOUND for _ in lines), failure=why)
    found: list[LineReading] = []
    for stretch, answer in zip(stretches, answers, strict=True):
        found += answer.value[stretch.first - stretch.begins : stretch.end - stretch.begins]
    return Reading(tuple(found), tuple(answer.provenance for answer in answers))


def stretches_of(sizes: Sequence[int], most: int, margin: int) -> Iterator[Stretch]:
    """Cut lines of so many tokens into stretches of at most `most`, with up to `margin` tokens on both sides.

    A stretch has one line at least.
    """
    first = 0
    while first < len(sizes):
        end, used = first, 0
        while end < len(sizes) and (end == first or used + sizes[end] <= most):
            used += sizes[end]
            end += 1
        begins, ends = first, end
        before = after = 0
        while begins > 0 and before + sizes[begins - 1] <= margin:
            begins -= 1
            before += sizes[begins]
        while ends < len(sizes) and after + sizes[ends] <= margin:
            after += sizes[ends]
            ends += 1
        yield Stretch(begins, first, end, ends)
        first = end
