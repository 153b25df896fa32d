"""Due dates by dateparser, which knows the words of the languages; what it can not read as a whole has no date."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, Final

from ports.date_resolver import DateResolver, ResolvedDate

LONGEST_WORDS: Final = 80
"""Characters; what is longer is a sentence with a date in it, not a date."""
ORDERS: Final = ("MDY", "DMY")
"""Orders of numeric dates: 5/12 is one day here and another there."""
TIMES: Final = (time.min, time(23, 59, 59))
"""The day is known and the time is not, so a date must not hang on it ("at noon", "in an hour")."""
ONE_DAY: Final = frozenset({"day", "part_of_day", "time"})
"""dateparser's names of periods that lie within one day; the others are week, month, year and longer."""
NUMBER: Final = re.compile(r"\d+")
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""dateparser's keys for the names of weekdays, Python's order."""


class DateparserDates(DateResolver):
    """Refuses what dateparser reads in two ways, reads in part, or reads as a week, a month or the past."""

    def __init__(self) -> None:
        import dateparser.date
        from dateparser.languages.loader import default_loader

        self._parser = dateparser.date.DateDataParser
        self._loader = default_loader

    def resolve(self, words: str, language: str, spoken_on: date) -> ResolvedDate | None:
        if not words.strip() or len(words) > LONGEST_WORDS:
            return None
        try:
            found = set(self._readings(words, language, spoken_on))
            day = found.pop() if len(found) == 1 else None
            if day is None or day < spoken_on or not self._meant(words, language, day):
                return None
            if self._drops_a_number(words, language, spoken_on, day):
                return None
        except (ValueError, OverflowError, TypeError, AttributeError, LookupError, RecursionError):
            return None  # An unknown language, or words that break the library: either way nobody knows the day.
        return ResolvedDate(day, f'"{words.strip()}" as said on {spoken_on.isoformat()} (dateparser, prefer future)')

    def _readings(self, words: str, language: str, spoken_on: date) -> Iterator[date | None]:
        """Yield the day under every order of numbers and every time of speaking; None where there is no single one."""
        for order in ORDERS:
            for at in TIMES:
                read = self._read(words, language, datetime.combine(spoken_on, at), order)
                yield read.date() if read is not None else None

    def _read(self, words: str, language: str, said_at: datetime, order: str) -> datetime | None:
        """Return what dateparser makes of all the words, None when that is no single day."""
        settings = {
            "DATE_ORDER": order,
            "RELATIVE_BASE": said_at,
            "PREFER_DATES_FROM": "future",
            "RETURN_AS_TIMEZONE_AWARE": False,
            "RETURN_TIME_AS_PERIOD": True,
        }
        found = self._parser(languages=[language], settings=settings).get_date_data(words)
        read: datetime | None = found.date_obj
        return read if read is not None and found.period in ONE_DAY else None

    def _drops_a_number(self, words: str, language: str, spoken_on: date, day: date) -> bool:
        """Whether some number could be another one, as the first of "in 2-3 days"; a year may be clear anyway."""
        said_at = datetime.combine(spoken_on, time.min)
        whole = self._read(words, language, said_at, ORDERS[0])
        numbers = [number for number in NUMBER.finditer(words) if int(number[0]) != day.year]
        others = (f"{words[: n.start()]}{int(n[0]) + 1}{words[n.end() :]}" for n in numbers)
        return any(self._read(other, language, said_at, ORDERS[0]) == whole for other in others)

    def _meant(self, words: str, language: str, day: date) -> bool:
        """Whether nothing was dropped that turns the meaning, by dateparser's own vocabulary of the language.

        It overlooks a weekday beside a date ("Friday, December 8" of a year where that is a Tuesday), and words of direction
        ("after Friday") that count from the day only with an amount ("after 3 days").
        """
        known: Mapping[str, Any] = self._loader.get_locale(language).info
        said = {word.strip(".,;:!?") for word in words.casefold().split()}
        named = {index for index, key in enumerate(WEEKDAYS) if said & set(known.get(key, ()))}
        directions = said & {word for key in ("in", "ago") for word in known.get(key, ())}
        return not named or (named == {day.weekday()} and not directions)
