"""Recaps by rule, for tests of the suite: a finder that is right about as often as it is sure, models without weights."""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from adapters.scripted import ScriptedEntailmentJudge, ScriptedItemFinder
from domain.canonical import Json
from domain.prompt import RenderedPrompt
from domain.recap import ActionItem, Statement
from domain.transcript import Segment
from evals.item_matching import FoundItems, RecapItems
from evals.recap_material import segments_of
from evals.recap_models import Models
from tests.doubles_recap import HashingEmbedder, RuledLanguageModel, Script
from training.meetings import Item, LabelledMeeting

SUREST, LEAST_SURE = 0.95, 0.55
"""Confidences of the scripted finder."""
Spoil = Callable[[LabelledMeeting, FoundItems], FoundItems]


class ScriptedFinder:
    """Finds the labelled items of meetings, and something else for as many as its confidence says; `spoil` changes the answer."""

    def __init__(self, meetings: Iterable[LabelledMeeting], spoil: Spoil | None = None) -> None:
        self._by_text = {_text(segments_of(meeting)): meeting for meeting in meetings}
        self._spoil = spoil

    def __call__(self, segments: Sequence[Segment], _language: str) -> RecapItems:
        meeting = self._by_text[_text(segments)]
        found = _found(meeting)
        return self._spoil(meeting, found) if self._spoil else found


def scripted_models(script: Script | None = None) -> Models:
    """Models without weights; the language model copies the lines it is shown."""
    return Models(
        RuledLanguageModel(script or copies_the_lines),
        HashingEmbedder(),
        ScriptedItemFinder(),
        entailment=ScriptedEntailmentJudge(),
    )


def copies_the_lines(prompt: RenderedPrompt) -> Mapping[str, Json]:
    """What a careful model would do at its worst: say the first two lines or notes again."""
    shown = _shown(prompt)
    rows = [{"text": _sentence(text), _numbers(prompt): [number]} for number, text in shown[:2]]
    return {"title": _title(shown), "sentences": rows}


def joins_the_lines(prompt: RenderedPrompt) -> Mapping[str, Json]:
    """A model that tells: one sentence of two lines, which is nobody's."""
    (first, one), (second, other) = (_shown(prompt) * 2)[:2]
    text = f"{_sentence(one)[:-1]}, and {_sentence(other)}"
    return {"title": _title(_shown(prompt)), "sentences": [{"text": text, _numbers(prompt): [first, second]}]}


def tells_of_the_sea(_prompt: RenderedPrompt) -> Mapping[str, Json]:
    """A model that never minds the lines."""
    rows = [{"text": "Whales sang beneath moonlit waves.", "lines": [1], "notes": [1]}]
    return {"title": "Whales and waves", "sentences": rows}


def _shown(prompt: RenderedPrompt) -> list[tuple[int, str]]:
    """The numbered lines or notes of the last message, without speakers."""
    found = re.findall(r"^\*?(\d+) (.+)$", prompt.messages[-1][1], re.MULTILINE)
    return [(int(number), text.split(": ", 1)[-1]) for number, text in found]


def _numbers(prompt: RenderedPrompt) -> str:
    return "notes" if prompt.reference.name == "write_summary" else "lines"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _title(shown: Sequence[tuple[int, str]]) -> str:
    return " ".join(shown[0][1].split()[:4])


def _found(meeting: LabelledMeeting) -> FoundItems:
    chance = random.Random(meeting.id)
    decisions, tasks, questions = ([_item(meeting, label, chance) for label in labels] for labels in meeting.items)
    return FoundItems(
        tuple(decisions),
        tuple(
            ActionItem(each.text, each.segment_ids, 1.0, label.owners[0], label.due, confidence=each.confidence)
            for each, label in zip(tasks, meeting.tasks, strict=True)
        ),
        tuple(questions),
    )


def _item(meeting: LabelledMeeting, label: Item, chance: random.Random) -> Statement:
    sure = chance.uniform(LEAST_SURE, SUREST)
    if chance.random() < sure:
        return Statement(label.text, label.evidence, 1.0, confidence=sure)
    return Statement("Hm.", (chance.randrange(len(meeting.turns)),), 1.0, confidence=sure)


def _text(segments: Sequence[Segment]) -> str:
    return "\n".join(segment.text for segment in segments)


# --- what can go wrong ---


def nothing(_meeting: LabelledMeeting, _found: FoundItems) -> FoundItems:
    return FoundItems()


def each_item(change: Callable[[Statement | ActionItem], Statement | ActionItem]) -> Spoil:
    """Change every item in one way."""

    def spoil(_meeting: LabelledMeeting, found: FoundItems) -> FoundItems:
        kinds = (found.decisions, found.action_items, found.open_questions)
        return FoundItems(*(tuple(map(change, kind)) for kind in kinds))  # type: ignore[arg-type]

    return spoil


def everything_cited(meeting: LabelledMeeting, found: FoundItems) -> FoundItems:
    everything = tuple(range(len(meeting.turns)))
    return each_item(lambda item: replace(item, segment_ids=everything))(meeting, found)


def look_alikes_too(meeting: LabelledMeeting, found: FoundItems) -> FoundItems:
    """Reports what only looks like a decision among the decisions."""
    more = tuple(Statement(each.text, each.evidence, 1.0, confidence=0.7) for each in meeting.look_alikes)
    return replace(found, decisions=found.decisions + more)


def swapped_owners(meeting: LabelledMeeting, found: FoundItems) -> FoundItems:
    """Gives each task to somebody else who was there."""

    def another(owner: str | None) -> str:
        return next((turn.speaker for turn in meeting.turns if turn.speaker != owner), "Nobody")

    return replace(found, action_items=tuple(replace(each, owner=another(each.owner)) for each in found.action_items))


def exchanged_kinds(_meeting: LabelledMeeting, found: FoundItems) -> FoundItems:
    return replace(found, decisions=found.open_questions, open_questions=found.decisions)
