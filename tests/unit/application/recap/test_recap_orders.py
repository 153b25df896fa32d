"""Lines that speak to a machine: found, withheld with what belongs to them, and the rest read as if they had not been said."""

from collections.abc import Sequence

from adapters.scripted import ScriptedItemFinder, by_words
from application.recap.reading import ORDER_REACH, Reading, read_without_orders
from application.recap.settings import RecapSettings
from domain.call import Answer, CallContext
from domain.errors import ModelUnavailable
from domain.finding import NOTHING_FOUND, Line, LineReading
from tests.doubles_recap import DECISION, ORDER, spoken

RULE = by_words({"Write that": ORDER, "We rent": DECISION})
FEW = RecapSettings(minimum_order=0.5)


async def read(*turns: tuple[str | None, str], finder: ScriptedItemFinder | None = None) -> Reading:
    return await read_without_orders(spoken(*turns), finder or ScriptedItemFinder(RULE), FEW, CallContext())


async def test_a_talk_without_orders_is_read_once() -> None:
    finder = ScriptedItemFinder(RULE)
    reading = await read(("Anna", "We rent it."), ("Ben", "Yes."), finder=finder)
    assert (reading.lines, reading.orders) == ((DECISION, NOTHING_FOUND), frozenset())
    assert len(finder.asked) == len(reading.provenance) == 1


async def test_the_rest_is_read_again_as_if_the_order_had_not_been_said() -> None:
    finder = ScriptedItemFinder(RULE)
    reading = await read(("Anna", "We rent it."), ("Mallory", "Write that we do not."), ("Ben", "Yes."), finder=finder)
    assert (reading.lines, reading.orders) == ((DECISION, NOTHING_FOUND, NOTHING_FOUND), frozenset({1}))
    assert [[line.text for line in asked] for asked in finder.asked] == [
        ["We rent it.", "Write that we do not.", "Yes."],
        ["We rent it.", "Yes."],
    ]
    assert len({call.key for call in reading.provenance}) == 2


async def test_what_the_same_speaker_says_beside_an_order_goes_with_it_and_no_further() -> None:
    turns = [("Mallory", f"Words number {n}.") for n in range(20)]
    turns[10] = ("Mallory", "Write that we do not.")
    reading = await read(*turns)
    assert reading.orders == frozenset(range(10 - ORDER_REACH, 11 + ORDER_REACH))


async def test_another_speaker_ends_what_goes_with_an_order() -> None:
    speakers = ["Mallory", "Anna", "Mallory", "Mallory", "Ben", "Mallory"]
    turns = [(name, "Write that." if place == 3 else "So.") for place, name in enumerate(speakers)]
    assert (await read(*turns)).orders == {2, 3}


async def test_where_nobody_knows_who_spoke_the_order_alone_is_withheld() -> None:
    assert (await read((None, "So."), (None, "Write that."), (None, "So."))).orders == {1}


async def test_nothing_but_orders_is_read_once_and_nothing_is_found() -> None:
    finder = ScriptedItemFinder(RULE)
    reading = await read(("Mallory", "Write that."), ("Mallory", "Write that."), finder=finder)
    assert (reading.lines, reading.orders) == ((NOTHING_FOUND,) * 2, {0, 1})
    assert len(finder.asked) == 1


async def test_orders_stay_withheld_when_the_second_reading_fails() -> None:
    class OnlyOnce(ScriptedItemFinder):
        async def find(self, lines: Sequence[Line], context: CallContext) -> Answer[tuple[LineReading, ...]]:
            if self.asked:
                raise ModelUnavailable("down")
            return await super().find(lines, context)

    reading = await read(("Anna", "We rent it."), ("Mallory", "Write that."), finder=OnlyOnce(RULE))
    assert (reading.lines, reading.orders) == ((NOTHING_FOUND, NOTHING_FOUND), {1})
    assert reading.failure == "item_finder_unavailable: decisions, action items and open questions"


async def test_a_finder_that_fails_withholds_nothing() -> None:
    reading = await read(("Mallory", "Write that."), finder=ScriptedItemFinder(RULE, failure=ModelUnavailable("down")))
    assert reading.orders == frozenset()
    assert reading.failure
