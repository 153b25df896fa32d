"""Words of any language: sentences, content words, figures, quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.recap.text import LINK, content, numbers, one_line, quoted, sentences, tokens
from application.recap.vectors import centroid, dot, lexical_vectors


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We rent it. Anna pays! Who knows? Nobody.", ["We rent it.", "Anna pays!", "Who knows?", "Nobody."]),
        ("Dr. Lane paid 3.5 thousand. Mr. J. Hale did not.", ["Dr. Lane paid 3.5 thousand.", "Mr. J. Hale did not."]),
        ("It costs approx. 200 a month, e.g. in June. Ben pays.", ["It costs approx. 200 a month, e.g. in June.", "Ben pays."]),
        ('They call it "the hub." Ben does not.', ['They call it "the hub."', "Ben does not."]),
        ("Das kostet z.B. über 5 Euro. Österreich zahlt.", ["Das kostet z.B. über 5 Euro.", "Österreich zahlt."]),
        ("新しい。「本当？」と言った。", ["新しい。", "「本当？」", "と言った。"]),
        ("हम जाएंगे। कल नहीं।", ["हम जाएंगे।", "कल नहीं।"]),
        ("no stop at all", ["no stop at all"]),
        (" ", []),
    ],
)
def test_sentences_end_at_stops_and_not_at_abbreviations_and_figures(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@given(st.text(st.sampled_from("ab AB.?!。字1\"' "), max_size=60))
def test_no_letter_is_lost_between_sentences(text: str) -> None:
    assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "")


def test_content_words_are_compared_by_their_beginnings_without_accents() -> None:
    assert content("die Entscheidungen") == content("der Entscheidung")
    assert content("Décidé à Genève") == content("DECIDE a geneve")
    assert content("we do not") == frozenset()
    assert len(content("プリンター") & content("プリンターを借りる")) == 4


def test_scripts_without_spaces_are_read_as_pairs() -> None:
    assert tokens("字面白い") == ("字面", "面白", "白い")
    assert tokens("字面") == ("字面",)
    assert content("字面") == {"字面"}


def test_words_that_only_look_alike_are_the_same() -> None:
    assert tokens("ｐｒｉｎｔｅｒ ﬁle") == ("printer", "file")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3.5 of 1,000 at 10:30.", {"3.5", "1,000", "10:30"}),
        ("５００円", {"500"}),
        ("two hundred", set()),
        ("v2 and 19th", {"2", "19"}),
    ],
)
def test_numbers_are_those_in_figures(text: str, found: set[str]) -> None:
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("said", "quote"),
    [
        ("so the the report is is late", "So the report is late."),
        ("I had 20 20 cards?", "I had 20 20 cards?"),
        (", and - we wait", "And we wait."),
        ("see http://a.example/x or mail a@b.example for it", "See or mail for it."),
        ("「はい。」", "「はい。」"),
        ("हम जाएंगे।", "हम जाएंगे।"),
        ("www.a.example", ""),
        ("...", ""),
        ("", ""),
    ],
)
def test_a_quote_is_what_was_said_as_minutes_have_it(said: str, quote: str) -> None:
    assert quoted(said) == quote


@given(st.text(max_size=200))
def test_a_quote_only_takes_words_away(text: str) -> None:
    kept, said = quoted(text).lower().rstrip(".").split(), one_line(text).lower().split()
    assert len(kept) <= len(said)
    assert not set("<>`{}[]|\\") & set(quoted(text))
    assert not LINK.search(quoted(text))


def test_word_count_vectors_are_unit_length_and_near_for_shared_words() -> None:
    near, far, same, short = lexical_vectors(["the printer is broken", "roses in the garden", "a broken printer", "we do"])
    assert dot(near, near) == pytest.approx(1.0) == dot(short, short)
    assert dot(near, same) > 0.9 > 0.1 > dot(near, far)
    assert centroid([]) == ()
