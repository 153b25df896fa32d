"""From what was written to what is said: checked, quoted, or left out, and what the recap says of itself."""

from collections.abc import Sequence

import pytest

from application.recap.candidates import Candidate, ItemKind
from application.recap.items import BRIEF_WORDS, RecapItems, of_items, quote, worded_items
from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from application.recap.telling import Telling, outcomes_of, support_of
from application.recap.writing import Written
from domain.recap import ActionItem, Chapter, Statement
from tests.doubles_recap import spoken

PRINTER = (
    ("Anna", "The printer in the second floor office breaks down nearly every week now."),
    ("Ben", "The repair company charged us two hundred for the last visit."),
    ("Anna", "A new printer would cost about nine hundred including the toner."),
)
PARTY = (
    ("Ben", "The museum garden holds eighty guests and has a roof against rain."),
    ("Anna", "Last year the guests liked the music band more than the food."),
)
NO_ITEMS = RecapItems((), (), ())


def telling(*chapters: Sequence[tuple[str | None, str]], **settings: int) -> Telling:
    """Chapters of turns, every line of which may be told of and was read."""
    lines = spoken(*(turn for chapter in chapters for turn in chapter))
    cut, first = list[list[SpokenLine]](), 0
    for chapter in chapters:
        cut.append(lines[first : first + len(chapter)])
        first += len(chapter)
    return Telling(lines, cut, cut, cut, RecapSettings(**settings))  # type: ignore[arg-type]


def chapter_of(tell: Telling, place: int, made: Written) -> Chapter:
    """A chapter of which everything is told whose words were said."""
    return tell.chapter(place, made, tell.of_chapter(place, made))


def summary_of(
    tell: Telling, made: Written, notes: Sequence[Statement], chapters: Sequence[Chapter], items: RecapItems = NO_ITEMS
) -> list[Statement]:
    return tell.summary(tell.of_summary(made, notes), notes, chapters, outcomes_of(items))


def written(*sentences: tuple[str, tuple[int, ...]], title: str = "", failure: str | None = None) -> Written:
    return Written(title, sentences, (), failure)


def texts(found: Sequence[Statement]) -> list[str]:
    return [each.text for each in found]


def test_a_sentence_that_its_lines_carry_is_told_with_its_place_and_its_speaker() -> None:
    chapter = chapter_of(telling(PRINTER, PARTY), 0, written(("The repair company charged two hundred.", (2,))))
    assert chapter == Chapter(
        "Hundred, printer, breaks",
        0.0,
        12.0,
        (0, 1, 2),
        (Statement("The repair company charged two hundred.", (1,), 1.0, 4.0, 8.0, "Ben"),),
    )


def test_sentences_stand_in_the_order_of_what_they_rest_on() -> None:
    made = written(("A new printer costs nine hundred.", (3,)), ("The printer breaks down every week.", (1,)))
    (first, second) = chapter_of(telling(PRINTER), 0, made).summary
    assert (first.segment_ids, second.segment_ids) == ((0,), (2,))


def test_what_rests_on_several_speakers_has_none() -> None:
    made = written(("The printer breaks down, the repair company charged two hundred.", (1, 2)))
    assert chapter_of(telling(PRINTER), 0, made).summary[0].speaker is None


def test_a_sentence_that_nothing_carries_gives_way_to_the_most_telling_lines() -> None:
    tell = telling(PRINTER, PARTY)
    tell.told = [[tell.lines[2], tell.lines[0], tell.lines[1]], tell.chapters[1]]
    chapter = chapter_of(tell, 0, written(("The repair company charged 500.", (2,))))
    assert texts(chapter.summary) == [PRINTER[0][1], PRINTER[2][1]]
    assert [each.support for each in chapter.summary] == [1.0, 1.0]


def test_numbers_that_point_outside_the_chapter_are_ignored() -> None:
    made = written(("The museum garden holds eighty guests.", (4, 99, 0, -1)))
    assert texts(chapter_of(telling(PRINTER, PARTY), 0, made).summary) != ["The museum garden holds eighty guests."]
    assert chapter_of(telling(PRINTER, PARTY), 1, made).summary[0].segment_ids == (3,)


def test_support_below_the_minimum_is_not_told() -> None:
    made = written(("The printer breaks because of imported ink.", (1,)))
    assert chapter_of(telling(PRINTER, minimum_judged=1), 0, made).summary[0].text == PRINTER[0][1]
    assert (
        chapter_of(telling(PRINTER, minimum_judged=0), 0, made).summary[0].text == "The printer breaks because of imported ink."
    )


@pytest.mark.parametrize(
    "title", ["", "Holiday plans", "x" * 81, "Printer, see www.a.example", "<b>Printer</b>", "So it is", "[Printer](x)"]
)
def test_a_title_that_was_not_said_is_made_of_words_that_set_the_chapter_apart(title: str) -> None:
    tell = telling(PRINTER, PARTY)
    assert [chapter_of(tell, place, written(title=title)).title for place in (0, 1)] == [
        "Hundred, printer, breaks",
        "Guests, against, eighty",
    ]
    assert chapter_of(tell, 0, written(title="Printer repair")).title == "Printer repair"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("So we do.", "So we do"),
        ("新しいプリンターを夏まで借ります。", "新しいプリンターを夏まで借ります"),
        ("字" * 60, "字" * 40),
        ("we do it " * 9, "We do it we do it we do it we do it we"),
    ],
)
def test_a_title_is_the_beginning_of_a_line_where_no_word_says_anything(said: str, title: str) -> None:
    assert telling([(None, said)]).keywords(spoken((None, said))) == title


def test_addresses_do_not_become_titles() -> None:
    assert (
        "prizes"
        not in chapter_of(telling([("A", "Look at www.evil-prizes.example now, the printer prints.")]), 0, written()).title
    )


def test_one_chapter_names_the_conversation() -> None:
    tell = telling(PRINTER)
    chapter = chapter_of(tell, 0, written(title="Printer repair"))
    assert tell.title(written(title="The printer"), [chapter]) == "Printer repair"


def test_several_chapters_are_named_by_the_model_or_by_their_words() -> None:
    tell = telling(PRINTER, PARTY)
    chapters = [chapter_of(tell, place, written()) for place in (0, 1)]
    assert tell.title(written(title="A printer and a garden"), chapters) == "A printer and a garden"
    assert tell.title(written(title="Aliens"), chapters) == "Guests, hundred, printer"


def test_the_longest_chapter_that_the_model_named_names_a_conversation_that_it_did_not() -> None:
    tell = telling(PRINTER[:1], PRINTER, PARTY)
    titles = ["Printer office", "Printer repair", ""]
    chapters = [chapter_of(tell, place, written(title=title)) for place, title in enumerate(titles)]
    assert tell.title(written(title="Aliens"), chapters) == "Printer repair"


def chapters_of(tell: Telling) -> list[Chapter]:
    return [chapter_of(tell, place, written()) for place in range(len(tell.chapters))]


def test_the_summary_is_what_the_model_wrote_and_the_lines_behind_its_notes_carry() -> None:
    tell = telling(PRINTER, PARTY)
    chapters = chapters_of(tell)
    notes = tell.notes(chapters, ())
    made = written(
        ("The printer breaks down nearly every week.", (1,)),
        ("The museum garden holds eighty guests.", (3, 70)),
        ("The museum garden holds ninety guests 90.", (3,)),
        ("The museum garden holds eighty guests, a roof against rain.", (3,)),
    )
    found = summary_of(tell, made, notes, chapters)
    assert texts(found) == ["The printer breaks down nearly every week.", "The museum garden holds eighty guests."]
    assert [each.segment_ids for each in found] == [(0,), (3,)]


@pytest.mark.parametrize(
    ("made", "first"),
    [
        (written(), PRINTER[0][1]),
        (
            written(("Whales sing.", (1,)), ("The printer breaks down nearly every week.", (1,))),
            "The printer breaks down nearly every week.",
        ),
    ],
)
def test_the_first_sentences_of_the_chapters_stand_in_for_what_the_model_did_not_write(made: Written, first: str) -> None:
    tell = telling(PRINTER, PARTY, summary_words=26, summary_words_per_chapter=1)
    chapters = chapters_of(tell)
    found = summary_of(tell, made, tell.notes(chapters, ()), chapters)
    assert texts(found) == [first, PARTY[0][1]]


def test_the_summary_takes_more_notes_while_there_is_room() -> None:
    tell = telling(PRINTER, PARTY, summary_words=60)
    chapters = chapters_of(tell)
    found = summary_of(tell, written(), tell.notes(chapters, ()), chapters)
    assert texts(found) == [PRINTER[0][1], PRINTER[1][1], PARTY[0][1], PARTY[1][1]]


def test_the_summary_says_what_came_of_the_conversation_surest_first_while_there_is_room() -> None:
    tell = telling(PRINTER, PARTY, summary_words=24, summary_words_per_chapter=1)
    chapters = chapters_of(tell)
    made = written(("The printer breaks down nearly every week.", (1,)), ("The museum garden holds eighty guests.", (3,)))
    sure = ActionItem("Order toner in the shop.", (2,), 1.0, "Ben", start=8.0, end=12.0, confidence=0.9)
    unsure = Statement("Somebody paints the corridor green before the summer begins.", (1,), 1.0, confidence=0.4)
    found = summary_of(tell, made, tell.notes(chapters, ()), chapters, RecapItems((unsure,), (sure,), ()))
    assert texts(found)[2:] == ["Ben: Order toner in the shop."]
    assert found[2].confidence is None, "prose has none"


def test_notes_hold_the_items_that_no_chapter_tells() -> None:
    tell = telling(PRINTER, PARTY)
    told = Statement("The printer breaks down nearly every week.", (0,), 1.0)
    items = RecapItems((told,), (ActionItem("Ben orders toner on Monday.", (2,), 1.0, "Ben"),), (told,))
    assert texts(tell.notes(chapters_of(tell), outcomes_of(items)))[4:] == ["Ben: Ben orders toner on Monday."]


def test_key_points_say_nothing_twice() -> None:
    tell = telling(PRINTER, PARTY)
    chapters = chapters_of(tell)
    (broken, charged), (garden, music) = (chapter.summary for chapter in chapters)
    assert texts(tell.key_points(chapters, [], NO_ITEMS)) == texts([broken, charged, garden, music])
    assert texts(tell.key_points(chapters, [broken], RecapItems((garden,), (), ()))) == texts([charged, music])
    task = ActionItem("Ben asks the repair company why it charged two hundred for the last visit.", (1,), 1.0)
    assert charged not in tell.key_points(chapters, [], RecapItems((), (task,), ()))
    assert texts(tell.key_points(chapters, [], RecapItems((), (), (music,)))) == texts([broken, charged, garden])


def test_there_are_no_more_key_points_than_allowed() -> None:
    tell = telling(PRINTER, PARTY, key_points=2)
    assert len(tell.key_points(chapters_of(tell), [], NO_ITEMS)) == 2


def test_a_chapter_that_failed_is_named_and_those_in_quotes_only_when_all_are() -> None:
    tell = telling(PRINTER, PARTY, PARTY)
    for place, made in enumerate([written(failure="rate_limited"), written(), written(("The museum garden has a roof.", (6,)))]):
        chapter_of(tell, place, made)
    assert tell.degraded(["embedder_unavailable: similarity is lexical"]) == (
        "embedder_unavailable: similarity is lexical",
        "rate_limited: chapter 1",
    )


def test_a_model_that_wrote_nothing_that_can_stand_is_named() -> None:
    tell = telling(PRINTER, PARTY)
    for place in range(2):
        chapter_of(tell, place, written())
    assert tell.degraded([]) == ("unsupported_by_transcript: 2 of 2 chapters are quoted",)


def test_a_chapter_of_which_nothing_may_be_told_is_empty_and_not_called_quoted() -> None:
    tell = telling(PRINTER)
    tell.heard = tell.told = [[]]
    assert chapter_of(tell, 0, written()) == Chapter("", 0.0, 12.0, (0, 1, 2), ())
    assert tell.degraded([]) == ()


def test_support_is_the_mean_of_all_and_one_of_nothing() -> None:
    assert support_of([0.5, 1.0, 1.0]) == 0.833
    assert support_of([]) == 1.0


def test_a_quote_of_several_lines_keeps_the_longest_and_their_order() -> None:
    long = " ".join(f"word{n}" for n in range(35))
    lines = spoken(("A", "We say it loudly today."), ("B", long), ("A", "And these are far too many words."))
    assert quote(lines) == f"We say it loudly today. W{long[1:]}."
    assert quote(spoken(("A", "see www.a.example"))) == "See."
    assert quote(spoken(("A", "www.a.example"))) == "…"


def test_a_quote_ends_where_the_surest_lines_say_enough() -> None:
    unsure, sure, surest = spoken(*PRINTER)
    assert quote([surest, unsure, sure], 14) == f"{unsure.text} {surest.text}"


def test_a_line_that_says_nothing_by_itself_is_quoted_only_where_there_is_no_other() -> None:
    sure, empty_words = spoken(("A", "The printer breaks down nearly every week."), ("B", "Yes, we do."))
    assert quote([empty_words, sure]) == sure.text
    assert quote([empty_words]) == empty_words.text


def test_a_summary_quotes_an_item_in_fewer_words_than_the_item_does() -> None:
    lines = spoken(
        ("A", "We order the blue printer from the shop today."), ("B", "It comes with toner for another year of work.")
    )
    (found,) = [[Candidate(ItemKind.DECISION, (0, 1), (0, 1), 0.9)]]
    assert worded_items(found, (), lines).decisions[0].text == " ".join(line.text for line in lines)
    assert worded_items(found, (), lines, BRIEF_WORDS).decisions[0].text == lines[0].text


def test_an_item_is_worded_by_a_sentence_that_its_lines_carry_and_quoted_otherwise() -> None:
    lines = spoken(*PRINTER)
    candidates = [Candidate(kind, (2,), (2,), 0.87654) for kind in (ItemKind.DECISION, ItemKind.QUESTION, ItemKind.TASK)]
    right, wrong = "A new printer would cost nine hundred.", "A new scanner costs a million 1000000."
    made = [written((right, ())), written((wrong, ())), written()]
    found = worded_items(candidates, of_items(candidates, made, lines, RecapSettings()), lines)
    assert found.decisions == (Statement(right, (2,), 1.0, 8.0, 12.0, "Anna", 0.877),)
    assert found.open_questions == (Statement(PRINTER[2][1], (2,), 1.0, 8.0, 12.0, "Anna", 0.877),)
    (task,) = found.action_items
    assert task == ActionItem(PRINTER[2][1], (2,), 1.0, None, None, start=8.0, end=12.0, speaker="Anna", confidence=0.877)
    assert worded_items(candidates, of_items(candidates, [], lines, RecapSettings()), lines).decisions[0].text == PRINTER[2][1]
