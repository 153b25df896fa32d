"""Spans of our own work between a client's request and the model calls, so that one trace follows a job."""

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol


class Tracer(Protocol):
    """Opens spans. Never raises, and tells names, ids and numbers only."""

    @abstractmethod
    def span(
        self, name: str, traceparent: str | None, attributes: Mapping[str, str | int | float | bool]
    ) -> AbstractContextManager[str | None]:
        """Open a span that continues `traceparent`, and give the trace parent for what happens inside it.

        An error that leaves the context is recorded by its kind, never by its text. Gives `traceparent` itself back when
        nothing is recorded, so that a trace passes through unbroken.
        """
