"""Tasks as iCalendar, by the library that knows its escapes and its folded lines."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from domain.outline import Task
from ports.task_calendar import TaskCalendar

PRODUCER: Final = "-//Wordloop ML//recap//EN"


class IcalendarTasks(TaskCalendar):
    """VTODO components of RFC 5545. A task whose day is not known has no DUE."""

    def __init__(self) -> None:
        import icalendar

        self._library = icalendar

    def calendar(self, tasks: Sequence[Task], made_at: float) -> str:
        calendar = self._library.Calendar()
        calendar.add("prodid", PRODUCER)
        calendar.add("version", "2.0")
        stamp = datetime.fromtimestamp(int(made_at), UTC)
        for task in tasks:
            todo = self._library.Todo()
            todo.add("uid", task.uid)
            todo.add("dtstamp", stamp)
            todo.add("summary", task.summary)
            if task.description:
                todo.add("description", task.description)
            if task.due is not None:
                todo.add("due", task.due)
            todo.add("status", "NEEDS-ACTION")
            calendar.add_component(todo)
        written: bytes = calendar.to_ical()
        return written.decode()
