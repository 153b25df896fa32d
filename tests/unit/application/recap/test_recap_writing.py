"""What the language model is asked, and what is read out of its answers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

import prompts
from application.bounded_calls import estimated_tokens
from application.recap.candidates import Candidate, ItemKind
from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from application.recap.writing import Writer, Written, fitting, room_of
from domain.call import CallContext
from domain.errors import BudgetExceeded, DeadlineExceeded, InvalidModelOutput, JobCancelled, ModelUnavailable, RateLimited
from domain.prompt import RenderedPrompt
from domain.template import SECTIONS, Template
from tests.doubles_recap import RuledLanguageModel, answering, shown, shown_items, spoken

TALK = spoken(*(("Anna" if n % 2 else "Ben", f"This is sentence number {n} about the printer of the office.") for n in range(40)))
LONG = spoken(*(("Anna", " ".join(f"word{n}" for n in range(55)) + ".") for _ in range(90)))
GENERAL = prompts.template("general")
WORDY = replace(GENERAL, instructions=dict.fromkeys(SECTIONS, "Wishes. " * 37))
NAMES = ("write_chapter", "write_items", "write_summary")


class Done:
    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


def writer(model: RuledLanguageModel, template: Template = GENERAL, done: Done | None = None, **settings: Any) -> Writer:
    return Writer(model, prompts, "en", template, RecapSettings(**settings), CallContext(), done or Done())


def decision(*lines: int, kind: ItemKind = ItemKind.DECISION) -> Candidate:
    return Candidate(kind, lines, lines, 0.9)


def size(prompt: RenderedPrompt) -> int:
    return sum(estimated_tokens(words) for _, words in prompt.messages) + prompt.sampling.max_tokens


async def chapter(rows: object, title: object = "The printer") -> Written:
    model = RuledLanguageModel(lambda prompt: {"title": title, "sentences": rows})  # type: ignore[dict-item]
    (found,) = await writer(model).chapters([TALK[:4]], frozenset())
    return found


async def test_lines_are_shown_in_their_order_with_their_numbers_and_stars() -> None:
    model = RuledLanguageModel()
    await writer(model).chapters([[TALK[7], TALK[2], TALK[5]]], frozenset({5, 9}))
    said = "about the printer of the office."
    assert model.asked[0].messages[-1][1].split("\n")[1:4] == [
        f"3 Ben: This is sentence number 2 {said}",
        f"*6 Anna: This is sentence number 5 {said}",
        f"8 Anna: This is sentence number 7 {said}",
    ]


@pytest.mark.parametrize(
    ("tag", "version", "named"), [("de", "v1.de", "German"), ("pt-BR", "v1.pt", "Portuguese"), ("da", "v1", "Danish")]
)
async def test_the_model_is_asked_in_the_language_that_it_shall_write(tag: str, version: str, named: str) -> None:
    """A small model answers in the language of its instructions and of its example, whatever it is told."""
    model = RuledLanguageModel()
    await replace(writer(model), language=tag).chapters([TALK[:4]], frozenset())
    assert model.asked[0].reference.version == version
    assert f"Language: {named}." in model.asked[0].messages[-1][1]


async def test_language_and_wishes_stand_behind_the_lines() -> None:
    wishes = {section: f"Wishes for {section}." for section in ("summary", "decisions", "open_questions")}
    model = RuledLanguageModel()
    write = writer(model, replace(GENERAL, instructions=wishes))
    await write.chapters([TALK[:3]], frozenset())
    await write.items([decision(1)], TALK)
    await write.summary(["A note."])
    assert [prompt.messages[-1][1].split("\n")[-1] for prompt in model.asked] == [
        "Language: English. Wishes for summary.",
        "Language: English. Wishes for decisions. Wishes for open_questions.",
        "Language: English. Wishes for summary.",
    ]
    await writer(model, replace(GENERAL, instructions={"chapters": "Chapter </lines>\nwishes."})).chapters(
        [TALK[:3]], frozenset()
    )
    assert model.asked[-1].messages[-1][1].endswith("</lines>\nLanguage: English. Chapter /lines wishes.")


@pytest.mark.parametrize("template", [GENERAL, WORDY])
@pytest.mark.parametrize("context_tokens", [700, 1000, 1500, 2048, 4096, 8192, 32_768])
async def test_every_prompt_fits_into_the_context_beside_its_answer(context_tokens: int, template: Template) -> None:
    model = RuledLanguageModel(context_tokens=context_tokens)
    write = writer(model, template, items_per_call=8)
    await write.chapters([LONG, TALK], frozenset(range(0, 90, 3)))
    await write.items([decision(place, place + 1) for place in range(0, 80, 4)], LONG)
    await write.summary([line.text for line in LONG])
    assert {prompt.reference.name for prompt in model.asked} <= set(NAMES)
    assert context_tokens < 2048 or len(set(model.names)) == 3
    assert all(size(prompt) <= context_tokens for prompt in model.asked)


async def test_the_least_telling_lines_are_left_out_when_not_all_fit() -> None:
    prompt = prompts.load("write_chapter")
    fixed = 4096 - room_of(prompt, 4096, GENERAL.instructions["summary"])
    model = RuledLanguageModel(context_tokens=fixed + 3 * (estimated_tokens(f"31 {TALK[30].shown}") + 2))
    await writer(model).chapters([[TALK[30], TALK[11], TALK[20], TALK[0], TALK[1]]], frozenset())
    assert [number for number, _ in shown(model.asked[0])] == [12, 21, 31]


@pytest.mark.parametrize("context_tokens", [0, 300])
async def test_a_context_that_holds_no_line_is_not_asked_and_says_so(context_tokens: int) -> None:
    model, done = RuledLanguageModel(context_tokens=context_tokens), Done()
    write = writer(model, done=done)
    assert await write.chapters([TALK, TALK], frozenset()) == [Written(failure="context_too_small")] * 2
    assert await write.items([decision(3)], TALK) == [Written(failure="context_too_small")]
    assert await write.summary(["A note."]) == Written()
    assert model.asked == []
    assert done.count == 3


async def test_a_chapter_of_which_nothing_may_be_told_is_not_asked_about() -> None:
    model = RuledLanguageModel()
    assert await writer(model).chapters([[]], frozenset()) == [Written()]
    assert await writer(model).summary([]) == Written()
    assert model.asked == []


def test_first_things_are_kept_as_long_as_they_fit() -> None:
    each = estimated_tokens("word") + 2
    assert fitting(["word"] * 5, 3 * each) == ["word"] * 3
    assert fitting(["word", "x" * 1000, "word"], 4 * each) == ["word"]
    assert fitting(["word"], -5) == []


def test_the_example_s_words_are_not_those_that_everybody_tells_with() -> None:
    words = writer(RuledLanguageModel()).example_words
    assert {"printe", "summer", "office"} <= words
    assert not {"they", "will", "about", "what", "would", "until"} & words


async def test_sentences_come_with_the_numbers_that_they_name() -> None:
    found = await chapter(
        [{"text": "One thing.", "lines": [1, 3]}, {"text": "Another thing.", "lines": [2]}], title=" The\nprinter <b>"
    )
    assert found.title == "The printer <b>"  # which no chapter is called: `check` refuses it
    assert found.sentences == (("One thing.", (1, 3)), ("Another thing.", (2,)))
    assert [call.prompt.name for call in found.provenance if call.prompt] == ["write_chapter"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("They rent a printer until July. Anna orders it.", "They rent a printer until July."),
        ("They rent a printer until July, and the repair compa", "They rent a printer until July, and the repair compa"),
        (", and Dr. Lane rents it. The rest is op", "and Dr. Lane rents it."),
        ("- ¿Quién paga?", "¿Quién paga?"),
        ('"Rent it," says Anna.', '"Rent it," says Anna.'),
        ("プリンターを借ります。次は", "プリンターを借ります。"),
    ],
)
async def test_of_a_string_its_first_sentence_counts(text: str, kept: str) -> None:
    """What was cut off inside its first sentence is told by nobody: `check` wants a stop."""
    assert (await chapter([{"text": text, "lines": [1]}])).sentences == ((kept, (1,)),)


@pytest.mark.parametrize(
    "rows",
    [
        None,
        "text",
        {"text": "One thing.", "lines": [1]},
        ["One thing."],
        [{"lines": [1]}],
        [{"text": 7, "lines": [1]}],
        [{"text": "", "lines": [1]}],
        [{"text": " .,", "lines": [1]}],
    ],
)
async def test_what_is_no_sentence_is_left_out(rows: object) -> None:
    found = await chapter(rows, title=None)
    assert (found.title, found.sentences, found.failure) == ("", (), None)


@pytest.mark.parametrize(
    ("numbers", "kept"), [(None, ()), ("1", ()), (2, (2,)), ([1, "2", True, 3.5, None, -4], (1, -4)), ([], ())]
)
async def test_what_is_no_number_is_left_out(numbers: object, kept: tuple[int, ...]) -> None:
    assert (await chapter([{"text": "One thing.", "lines": numbers}])).sentences == (("One thing.", kept),)


async def test_a_sentence_that_is_written_twice_counts_once() -> None:
    row = {"text": "One thing.", "lines": [1]}
    assert len((await chapter([row, row])).sentences) == 1


async def test_several_items_share_a_call_and_each_gets_its_sentence() -> None:
    model = RuledLanguageModel()
    kinds = [ItemKind.DECISION, ItemKind.TASK, ItemKind.QUESTION, ItemKind.DECISION, ItemKind.TASK]
    candidates = [decision(7 * place, 7 * place + 1, kind=kind) for place, kind in enumerate(kinds)]
    found = await writer(model, items_per_call=2).items(candidates, TALK)

    assert [[(n, kind) for n, kind, _ in shown_items(prompt)] for prompt in model.asked] == [
        [(1, "decision"), (2, "task")],
        [(1, "question"), (2, "decision")],
        [(1, "task")],
    ]
    assert [each.sentences[0][0] for each in found] == [TALK[7 * place].text for place in range(5)]
    assert [len(each.provenance) for each in found] == [1, 0, 1, 0, 1]


async def test_an_item_is_shown_with_what_stands_around_it() -> None:
    model = RuledLanguageModel()
    await writer(model).items([decision(10, 12), decision(0)], TALK)
    first, second = model.asked[0].messages[-1][1].split("\n2 (decision)\n")
    assert [line[:1] for line in first.split("\n")[1:]] == ["B", "A", "*", "A", "*", "A", "B"]
    assert [line[:1] for line in second.split("\n")[:-1]] == ["*", "A", "B"]


async def test_lines_that_may_not_be_shown_are_missing_around_an_item() -> None:
    model = RuledLanguageModel()
    await writer(model).items([decision(10)], [line for line in TALK if line.index != 11])
    assert "number 11 " not in model.asked[0].messages[-1][1]
    assert "number 12 " in model.asked[0].messages[-1][1]


async def test_items_that_the_model_numbers_wrongly_or_leaves_out_get_nothing() -> None:
    rows: list[Any] = [
        {"number": 9, "text": "Nine."},
        {"number": 2, "text": "Two."},
        {"number": 2, "text": "Two again."},
        {"text": "None."},
    ]
    model = RuledLanguageModel(answering(write_items={"items": rows}))
    found = await writer(model).items([decision(3), decision(9)], TALK)
    assert [each.sentences for each in found] == [(), (("Two.", ()),)]


async def test_the_summary_is_written_from_numbered_notes() -> None:
    model = RuledLanguageModel()
    found = await writer(model).summary(["One note.", "Another note."])
    assert shown(model.asked[0]) == [(1, "One note."), (2, "Another note.")]
    assert found.sentences == (("One note.", (1,)), ("Another note.", (2,)))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelUnavailable("down"), "language_model_unavailable"),
        (InvalidModelOutput("cut off"), "invalid_model_output"),
        (BudgetExceeded("spent", "tokens", 0), "budget_exceeded"),
        (DeadlineExceeded("late"), "deadline_exceeded"),
        (RateLimited("wait", 3.0), "rate_limited"),
    ],
)
async def test_a_call_that_fails_says_why_and_spoils_no_other(error: Exception, code: str) -> None:
    def fails(prompt: RenderedPrompt) -> Exception | dict[str, Any]:
        return error if len(shown(prompt)) == 2 else {"title": "Yes", "sentences": []}

    failed, made = await writer(RuledLanguageModel(fails)).chapters([TALK[:2], TALK[2:5]], frozenset())
    assert (failed.failure, made.failure, made.title) == (code, None, "Yes")
    items = await writer(RuledLanguageModel(lambda prompt: error), items_per_call=2).items(
        [decision(1), decision(5), decision(9)], TALK
    )
    assert [each.failure for each in items] == [code] * 3


@pytest.mark.parametrize("error", [JobCancelled("cancelled"), ZeroDivisionError("a bug")])
async def test_cancelling_and_bugs_go_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        await writer(RuledLanguageModel(lambda prompt: error)).chapters([TALK, TALK], frozenset())


async def test_calls_run_at_once_but_no_more_than_allowed() -> None:
    model, done = RuledLanguageModel(), Done()
    parts: list[Sequence[SpokenLine]] = [TALK[n : n + 2] for n in range(12)]
    await writer(model, done=done, concurrent_calls=5).chapters(parts, frozenset())
    assert (model.most_running, done.count) == (5, 12)
