"""Due dates: the one day that words name, counted from the day they were said; a guess is never made."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dateparser_dates import DateparserDates
from application.due_dates import day_of, with_due_dates
from tests.documents import FULL

SAID_ON = date(2026, 11, 30)
"""A Monday."""
DATES = DateparserDates()
NAMED = [
    ("en", "Friday", "2026-12-04"),
    ("en", "by Friday", "2026-12-04"),
    ("en", "tomorrow", "2026-12-01"),
    ("en", "today", "2026-11-30"),
    ("en", "Friday 5pm", "2026-12-04"),
    ("en", "tomorrow morning", "2026-12-01"),
    ("en", "in three days", "2026-12-03"),
    ("en", "the day after tomorrow", "2026-12-02"),
    ("en", "December 15th", "2026-12-15"),
    ("en", "March 5", "2027-03-05"),
    ("en", "2026-12-05", "2026-12-05"),
    ("en", "20/12/2026", "2026-12-20"),
    ("en", "Tuesday, December 8", "2026-12-08"),
    ("de", "Freitag", "2026-12-04"),
    ("de", "morgen", "2026-12-01"),
    ("de", "übermorgen", "2026-12-02"),
    ("de", "in drei Tagen", "2026-12-03"),
    ("de", "15. Januar 2027", "2027-01-15"),
    ("fr", "vendredi", "2026-12-04"),
    ("fr", "après-demain", "2026-12-02"),
    ("fr", "dans trois jours", "2026-12-03"),
    ("fr", "le 15 décembre", "2026-12-15"),
    ("es", "mañana", "2026-12-01"),
    ("es", "15 de diciembre", "2026-12-15"),
    ("es", "en 3 días", "2026-12-03"),
    ("pt", "amanhã", "2026-12-01"),
    ("pt", "sexta-feira", "2026-12-04"),
    ("pt", "3 de dezembro", "2026-12-03"),
    ("it", "domani", "2026-12-01"),
    ("it", "mercoledì", "2026-12-02"),
    ("it", "in 3 giorni", "2026-12-03"),
    ("nl", "overmorgen", "2026-12-02"),
    ("nl", "woensdag", "2026-12-02"),
    ("nl", "15 december", "2026-12-15"),
]
NOT_ONE_DAY = {
    "no point in time": {
        "en": ("soon", "as soon as possible"), "de": ("so bald wie möglich",), "fr": ("dès que possible",),
        "es": ("lo antes posible",), "it": ("il prima possibile",), "nl": ("zo snel mogelijk",), "pt": ("em breve",),
    },
    "longer than a day": {
        "en": ("next week", "in two weeks", "March", "next year"), "de": ("nächste Woche",), "fr": ("la semaine prochaine",),
        "es": ("la próxima semana",), "pt": ("próxima semana",), "nl": ("volgende week",),
    },
    "two days": {
        "en": ("Monday or Tuesday", "Friday and Monday", "3-5 December", "in 2-3 days"), "de": ("Montag und Dienstag",),
        "fr": ("lundi et mardi",), "es": ("lunes y martes",),
    },
    "read in two ways": {"en": ("5/12/2026", "05.12.2026", "17:00", "in an hour"), "de": ("5.12.",)},
    "more than what is understood": {
        "en": ("before Friday", "not Friday", "two days before Friday", "the end of the month"), "de": ("bis Ende der Woche",),
        "nl": ("uiterlijk vrijdag",),
    },
    "after the day that is named": {"en": ("after Friday",), "fr": ("après vendredi",)},
    "a weekday that it is not": {"en": ("Friday, December 8",), "fr": ("vendredi 8 décembre",)},
    "over already": {"en": ("yesterday", "last Friday", "2026-11-29")},
    "no words": {"en": ("", "  ", "Friday " * 20)},
    "an unknown language": {"xx": ("Friday",), "": ("Friday",), "../en": ("Friday",)},
}  # fmt: skip
UNNAMED = [(language, said) for languages in NOT_ONE_DAY.values() for language, phrases in languages.items() for said in phrases]


@pytest.mark.parametrize(("language", "words", "day"), NAMED)
def test_words_that_name_a_day_give_its_date_and_how_it_was_told(language, words, day):
    found = DATES.resolve(words, language, SAID_ON)

    assert found is not None
    assert found.day.isoformat() == day
    assert found.rule == f'"{words}" as said on 2026-11-30 (dateparser, prefer future)'


@pytest.mark.parametrize(("language", "words"), UNNAMED)
def test_words_that_do_not_name_one_day_have_no_date(language, words):
    assert DATES.resolve(words, language, SAID_ON) is None


@given(words=st.text(max_size=90), language=st.sampled_from(["en", "de", "fr", "zh", "xx"]))
@settings(max_examples=150, deadline=None)
def test_no_words_break_the_resolver_and_no_date_is_over(words, language):
    found = DATES.resolve(words, language, SAID_ON)
    assert found is None or found.day >= SAID_ON


def test_the_last_days_of_the_calendar_have_no_tomorrow():
    assert DATES.resolve("tomorrow", "en", date.max) is None


UNDATED = replace(FULL, action_items=tuple(replace(item, due_date=None, due_rule=None) for item in FULL.action_items))


@pytest.mark.parametrize("recorded_at", ["2026-11-30", "2026-11-30T23:30:00-08:00", "2026-11-30T09:00"])
def test_items_get_their_dates_from_the_day_of_the_conversation_where_it_was_held(recorded_at):
    items = with_due_dates(UNDATED, DATES, recorded_at, "en").action_items

    assert [item.due_date for item in items] == ["2026-12-04", None, None]
    assert [item.due for item in items] == ["Friday", "soon", None]
    assert items[0] == FULL.action_items[0]


@pytest.mark.parametrize("recorded_at", [None, "", "yesterday", "2026-13-01"])
def test_without_that_day_nothing_is_dated(recorded_at):
    assert day_of(recorded_at) is None
    assert with_due_dates(UNDATED, DATES, recorded_at, "en") == UNDATED
