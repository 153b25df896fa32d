"""Items found by the language model itself: for one that is strong enough, by the same port as the trained reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from application.prompt_files import Prompts
from application.recap.lines import shown
from application.recap.settings import RecapSettings
from application.recap.writing import room_of
from domain.call import Answer, CallContext, ModelIdentity
from domain.finding import NOTHING_FOUND, Line, LineReading, Span
from ports.item_finder import ItemFinder
from ports.language_model import LanguageModel

SAID: Final = 1.0
"""Probability of what a language model lists: it tells no other."""
NUMBERED: Final = 0.8
"""Share of the room that is words: the rest are the numbers of the lines, three tokens for each of a dozen."""
LEAST_TOKENS: Final = 128
KINDS: Final = ("decision", "task", "question")


@dataclass(frozen=True, slots=True)
class FindWithLanguageModel(ItemFinder):
    """Asks for the items of a stretch in one schema-guided call. It tells no orders: nothing is withheld from the recap by it."""

    language_model: LanguageModel
    prompts: Prompts

    @property
    def identity(self) -> ModelIdentity:
        return self.language_model.identity

    @property
    def stretch_tokens(self) -> int:
        """As much as fits beside the prompt and the answer, with the margins and the numbers of the lines."""
        room = room_of(self.prompts.load("find_items"), self.language_model.context_tokens)
        return max(LEAST_TOKENS, int(NUMBERED * (room - 2 * RecapSettings().margin_tokens)))

    async def find(self, lines: Sequence[Line], context: CallContext) -> Answer[tuple[LineReading, ...]]:
        numbered = "\n".join(f"{number} {shown(line)}" for number, line in enumerate(lines, 1))
        answer = await self.language_model.generate(self.prompts.load("find_items").render(lines=numbered), context)
        readings = [NOTHING_FOUND] * len(lines)
        rows = answer.value.get("items")
        for row in rows if isinstance(rows, list | tuple) else ():
            if isinstance(row, Mapping):
                _take(row, lines, readings)
        return Answer(tuple(readings), answer.provenance)


def _take(row: Mapping[str, Any], lines: Sequence[Line], readings: list[LineReading]) -> None:
    """Mark the lines that an item names; owner and due count where they stand in what was said."""
    kind, owner, due = row.get("kind"), row.get("owner"), row.get("due")
    if kind not in KINDS:
        return
    for index in sorted({int(number) - 1 for number in row.get("lines", ()) if isinstance(number, int)}):
        if not 0 <= index < len(lines):
            continue
        told: dict[str, Any] = {str(kind): SAID}
        if kind == "task":
            told["speaker_owns"] = float(bool(owner) and owner == lines[index].speaker)
            told["owner"], told["due"] = _span(owner, lines[index].text), _span(due, lines[index].text)
        readings[index] = replace(readings[index], **told)


def _span(words: object, text: str) -> Span | None:
    start = text.find(words) if isinstance(words, str) and words else -1
    return Span(start, start + len(str(words)), SAID) if start >= 0 else None
