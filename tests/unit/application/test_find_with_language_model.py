"""Items found by the language model itself, through the port of the trained reader."""

import pytest

import prompts
from application.find_with_language_model import FindWithLanguageModel
from domain.call import CallContext
from domain.canonical import Json
from domain.errors import ModelUnavailable
from domain.finding import Line, Span
from tests.doubles_recap import RuledLanguageModel

LINES = [
    Line("Anna", "I would rent a faster printer."),
    Line("Ben", "Yes, let us do that. Anna, can you ask by Friday?"),
    Line(None, "Who pays for the paper?"),
]


def item(kind: str, *lines: int, owner: str | None = None, due: str | None = None) -> Json:
    return {"kind": kind, "lines": list(lines), "owner": owner, "due": due}


async def found(*items: Json) -> tuple:
    model = RuledLanguageModel(lambda _prompt: {"items": list(items)})
    return (await FindWithLanguageModel(model, prompts).find(LINES, CallContext())).value


async def test_lines_that_are_named_are_evidence_and_the_others_are_not() -> None:
    first, second, third = await found(item("decision", 1, 2), item("question", 3))
    assert (first.decision, second.decision, third.decision) == (1.0, 1.0, 0.0)
    assert (first.question, third.question) == (0.0, 1.0)


async def test_owner_and_due_count_where_they_were_said() -> None:
    first, second, _ = await found(item("task", 1, 2, owner="Anna", due="by Friday"))
    assert first.speaker_owns == 1.0
    assert (second.speaker_owns, second.owner, second.due) == (0.0, Span(21, 25, 1.0), Span(39, 48, 1.0))


@pytest.mark.parametrize("row", [item("task", 0, 4, 99), item("task"), {"kind": "task"}, "no item", None, {"lines": [1]}])
async def test_what_points_nowhere_marks_nothing(row: Json) -> None:
    assert all(reading.task == 0 for reading in await found(row))


async def test_a_name_that_nobody_said_is_no_owner() -> None:
    first, second, _ = await found(item("task", 1, 2, owner="Zoe", due="by Monday"))
    assert first.owner is second.owner is first.due is second.due is None
    assert first.speaker_owns == second.speaker_owns == 0.0


async def test_the_model_sees_every_line_by_its_number_and_a_failure_is_told() -> None:
    seen: list[str] = []

    def answer(prompt):
        seen.append(prompt.messages[-1][1])
        raise ModelUnavailable("down", None)

    with pytest.raises(ModelUnavailable):
        await FindWithLanguageModel(RuledLanguageModel(answer), prompts).find(LINES, CallContext())
    assert "1 Anna: I would rent a faster printer.\n2 Ben: Yes" in seen[0]
    assert "\n3 Who pays for the paper?" in seen[0]


def test_a_stretch_is_what_fits_beside_the_prompt_and_the_answer() -> None:
    assert 256 < FindWithLanguageModel(RuledLanguageModel(lambda _: {}), prompts).stretch_tokens < 4096
