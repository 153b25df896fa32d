"""Whether lines carry a sentence: its words, its figures, its names, and who is said to have said it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.recap.check import MOST_CITED, Checked, checked, held
from application.recap.lines import SpokenLine
from tests.doubles_recap import spoken

LINES = spoken(
    ("Anna", "The printer breaks down nearly every week and the repair costs two hundred."),
    ("Ben", "We will not support phones older than version 9."),
    ("Chris Moss", "I would rent a faster machine from Berlin for 900 a month until July."),
    ("Dora", "The garden holds 31 guests."),
)
SPEAKERS = frozenset({"Anna", "Ben", "Chris Moss", "Dora"})
NUMBER, NAME, NOBODY = "a number that was not said", "a name that was not said", "nothing of it was said, or it says nothing"
OTHER, TORN = "somebody who did not say it", "no whole sentence, or a link, or markup"


def check(text: str, *named: int, lines: list[SpokenLine] = LINES, speakers: frozenset[str] = SPEAKERS) -> Checked:
    return checked(text, [lines[place] for place in named], lines, speakers)


def cited(result: Checked) -> list[int]:
    return [line.index for line in result.lines]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("The printer breaks down every week.", [0]),
        ("Anna says that the printer breaks down and its repair costs two hundred.", [0]),
        ("Phones older than version 9 will not be supported.", [1]),
        ("Chris Moss would rent a faster machine from Berlin until July.", [2]),
        ("Moss would rent a faster machine (from Berlin) until July.", [2]),
        ("The garden holds 31 guests, and the printer breaks down.", [0, 3]),
    ],
)
def test_a_sentence_made_of_what_was_said_is_supported_and_cites_it(text: str, lines: list[int]) -> None:
    result = check(text)
    assert result.fault is None
    assert result.support >= 0.75
    assert cited(result) == lines


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("The repair of the printer costs 250.", NUMBER),
        ("Phones older than version 8 will not be supported.", NUMBER),
        ("A faster machine is rented from Madrid until July.", NAME),
        ("A faster machine is rented until July (in Madrid).", NAME),
        ('The repair of the printer costs two hundred, says "Siemens".', NAME),
        ("Anna would rent a faster machine from Berlin.", OTHER),
        ("Moss says that the printer breaks down every week.", OTHER),
        ("The printer breaks down, see www.printers.example for a new one.", TORN),
        ("The printer breaks down, write to repair@printers.example for it.", TORN),
        ("The printer breaks down //printers.example/x every week.", TORN),
        ("The printer <b>breaks down</b> every week.", TORN),
        ("The [printer](x) breaks down every week.", TORN),
        ("The printer breaks down\u202e every week.", TORN),
        ("The printer breaks down every", TORN),
        ("", TORN),
        ("The weather was lovely.", NOBODY),
        ("So it is.", NOBODY),
        ("The printer.", NOBODY),
    ],
)
def test_a_sentence_that_says_something_else_has_no_support(text: str, fault: str) -> None:
    result = check(text)
    assert (result.support, result.fault) == (0.0, fault)


def test_invented_words_lower_the_support() -> None:
    assert check("The printer breaks down every week.").support == 1.0
    assert check("The printer breaks down because of cheap imported cartridges.").support == pytest.approx(3 / 7)


def test_support_is_the_share_of_its_words_that_the_lines_hold() -> None:
    # "printer", "breaks", "week" of these and "toner", which nobody said.
    assert check("The printer breaks toner week.").support == 0.75


def test_a_sentence_rests_on_the_lines_it_names_when_they_carry_it() -> None:
    twice = [*LINES, *spoken(("Ben", "The printer breaks down nearly every week."))]
    result = checked("The printer breaks down every week.", [twice[4]], twice, SPEAKERS)
    assert result.lines == (twice[4],)


@pytest.mark.parametrize("named", [(), (1,), (1, 3)])
def test_a_sentence_that_names_the_wrong_lines_rests_on_the_nearest(named: tuple[int, ...]) -> None:
    assert cited(check("Chris Moss would rent a faster machine from Berlin.", *named)) == [2]


def test_lines_that_are_named_twice_or_out_of_order_are_cited_once_in_order() -> None:
    assert cited(check("The garden holds 31 guests and the printer breaks down.", 3, 0, 3)) == [0, 3]


def test_the_nearest_lines_are_as_few_as_hold_it() -> None:
    words = ["printer", "garden", "museum", "toner", "music", "party"]
    lines = spoken(*(("A", f"{word} only") for word in words), ("A", " ".join(words[:3])))
    result = checked("It was printer, garden, museum, toner, music and party.", [], lines, frozenset())
    assert len(result.lines) == MOST_CITED
    assert result.lines[-1] is lines[6]


def test_without_lines_nothing_is_supported() -> None:
    assert checked("The printer breaks down.", [], [], SPEAKERS).support == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "A printer was rented by the speaker.",
        "They mark the boxes.",
        "The speaker marks a printer.",
    ],
)
def test_words_of_a_language_are_not_taken_for_speakers_that_are_called_alike(text: str) -> None:
    speakers = frozenset({"A", "Speaker", "Mark", "Ben"})
    lines = spoken(("Ben", "We rented the printer and mark the boxes."), ("A", "Yes."), ("Speaker", "Good."), ("Mark", "Fine."))
    assert checked(text, [lines[0]], lines, speakers).fault is None


@pytest.mark.parametrize("text", ["The printer was rented, says A.", "Speaker rented the printer.", "Mark rented the printer."])
def test_speakers_with_such_names_are_known_where_a_name_stands(text: str) -> None:
    speakers = frozenset({"A", "Speaker", "Mark", "Ben"})
    lines = spoken(("Ben", "We rented the printer."), ("A", "Yes."), ("Speaker", "Good."), ("Mark", "Fine."))
    assert checked(text, [lines[0]], lines, speakers).support == 0.0


def test_words_of_the_prompt_s_example_do_not_pass_for_what_was_said() -> None:
    lines, foreign = spoken(("Anna", "We rent the garden until summer.")), frozenset({"printe", "summer"})
    copied, told = "They rent the printer until summer.", "They rent the garden until summer."
    assert checked(copied, lines, lines, frozenset()).support >= 0.6
    assert checked(copied, lines, lines, frozenset(), foreign).fault == "words of the prompt's example"
    assert checked(told, lines, lines, frozenset(), foreign).fault is None


def test_one_who_is_named_in_what_was_said_may_be_named() -> None:
    lines = spoken(("Anna", "Ben will order the printer by Friday."), ("Ben", "Good."))
    assert checked("Ben will order the printer by Friday.", [lines[0]], lines, frozenset({"Anna", "Ben"})).support == 1.0


@pytest.mark.parametrize(("own", "fault"), [("garden", OTHER), ("garden printer", None), ("garden printer toner", None)])
def test_one_who_is_named_must_have_said_half_of_it(own: str, fault: str | None) -> None:
    lines = spoken(("Ann Lee", own), ("Ben", "garden printer toner museum"))
    assert checked("Lee: garden, printer, toner, museum.", lines, lines, frozenset({"Ann Lee", "Ben"})).fault == fault


def test_figures_of_a_label_are_not_those_of_a_claim() -> None:
    lines = spoken(("Speaker 2", "The printer breaks down every week."), ("Speaker 1", "Yes."))
    speakers = frozenset({"Speaker 1", "Speaker 2"})
    assert checked("Speaker 2 says that the printer breaks down.", lines[:1], lines, speakers).fault is None
    assert checked("Speaker 1 says that the printer breaks down.", lines[:1], lines[:1], speakers).fault == NUMBER


def test_of_two_who_are_named_each_must_have_said_a_part_of_it() -> None:
    lines = spoken(
        ("Nurse Ortiz", "May we send messages without asking?"), ("Doctor Lane", "We postpone the scheduling program.")
    )
    speakers, asked = frozenset({"Nurse Ortiz", "Doctor Lane"}), "Ortiz asks about messages, and {} postpones the program."
    assert checked(asked.format("Lane"), lines, lines, speakers).fault is None
    assert checked("Ortiz postpones the scheduling program.", lines, lines, speakers).fault == OTHER
    assert checked("Ortiz and Lane postpone the scheduling program.", lines, lines, speakers).fault == OTHER


@pytest.mark.parametrize(
    ("said", "right", "wrong"),
    [
        (
            ("Jürgen", "Wir mieten ab März einen größeren Raum in Köln für 900 Euro."),
            "Ab März wird für 900 Euro ein größerer Raum in Köln gemietet.",
            "Ab März wird für 800 Euro ein größerer Raum in Köln gemietet.",
        ),
        (
            ("Hélène", "Nous avons décidé de louer une imprimante à Orléans."),
            "Il est décidé de louer une imprimante à Orléans.",
            "Il est décidé de louer une imprimante à Besançon.",
        ),
        (
            ("Íñigo", "¿Quién paga la reparación de la impresora?"),
            "¿Quién paga la reparación de la impresora?",
            "¿Quién paga la reparación del ascensor en Málaga?",
        ),
        (
            ("田中", "新しいプリンターを夏まで借ります。"),
            "田中が新しいプリンターを夏まで借ります。",
            "天気がとても良かったです。",
        ),
        (("プリヤ", "हम मार्च में 900 का कमरा लेंगे।"), "हम मार्च में 900 का कमरा लेंगे।", "हम मार्च में 800 का कमरा लेंगे।"),
    ],
)
def test_other_languages_are_checked_alike(said: tuple[str, str], right: str, wrong: str) -> None:
    lines = spoken(said)
    speakers = frozenset({said[0]})
    assert checked(right, lines, lines, speakers).support >= 0.6
    assert checked(wrong, lines, lines, speakers).support < 0.6


def test_a_speaker_is_found_inside_a_script_without_spaces() -> None:
    lines = spoken(("田中", "新しいプリンターを夏まで借ります。"), ("鈴木", "はい。"))
    assert checked("鈴木が新しいプリンターを夏まで借ります。", lines[:1], lines, frozenset({"田中", "鈴木"})).fault == OTHER


def test_accents_and_letters_that_look_alike_make_no_difference() -> None:
    lines = spoken(("Zoë", "La décision est reportée jusqu'à l'été."))
    assert checked("La decision est reportee jusqu'a l'ete.", lines, lines, frozenset({"Zoë"})).support == 1.0
    assert checked("Zoe dit que la ｄécision est reportée.", lines, lines, frozenset({"Zoë"})).fault is None


@given(st.text(max_size=120))
def test_support_is_a_share_and_none_where_there_is_a_fault(text: str) -> None:
    result = check(text, 0, 2)
    assert 0.0 <= result.support <= 1.0
    assert not (result.fault and result.support)


@given(st.sampled_from(LINES))
def test_what_was_said_carries_itself(line: SpokenLine) -> None:
    assert checked(line.text, [line], LINES, SPEAKERS).support == 1.0


def test_a_title_is_held_by_the_words_of_its_lines() -> None:
    assert held("Printer repair", LINES) == 1.0
    assert held("Printer party", LINES) == 0.5
    assert held("So it is", LINES) == 0.0
    assert held("Printer www.printers.example", LINES) == 0.0
    assert held("<b>Printer</b>", LINES) == 0.0
