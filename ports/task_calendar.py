"""Action items for task lists."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.outline import Task


class TaskCalendar(Protocol):
    """Writes tasks as an iCalendar stream (RFC 5545)."""

    @abstractmethod
    def calendar(self, tasks: Sequence[Task], made_at: float) -> str:
        """Return one VTODO per task; `made_at` in Unix seconds. The words of a task stay inside their property."""
