"""Action items with the date that their words mean, where the day of the conversation is known."""

from dataclasses import replace
from datetime import date

from domain.recap import ActionItem, Recap
from ports.date_resolver import DateResolver


def with_due_dates(recap: Recap, resolver: DateResolver, recorded_at: str | None, language: str) -> Recap:
    """Return the recap with a due date for each item whose `due` names one day.

    `recorded_at` is an ISO date or date-time: its date as it is written, which is that of those who spoke. Without it, or where
    it is no date, nothing is resolved. `language` (ISO 639-1) is that of the conversation, whose words `due` are.
    """
    spoken_on = day_of(recorded_at)
    if spoken_on is None:
        return recap
    return replace(recap, action_items=tuple(_dated(item, resolver, spoken_on, language) for item in recap.action_items))


def day_of(recorded_at: str | None) -> date | None:
    """Return the calendar day of an ISO date or date-time, None for anything else."""
    try:
        return date.fromisoformat((recorded_at or "")[:10])
    except ValueError:
        return None


def _dated(item: ActionItem, resolver: DateResolver, spoken_on: date, language: str) -> ActionItem:
    found = resolver.resolve(item.due, language, spoken_on) if item.due else None
    return replace(item, due_date=found.day.isoformat(), due_rule=found.rule) if found else item
