"""A model backend that answers from a list."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from domain.call import ModelIdentity
from domain.errors import ModelTimeout
from ports.clock import Clock
from ports.model_backend import CallMeta, ModelBackend, ModelRequest, RawOutput

SCRIPTED_MODEL = ModelIdentity("scripted", "1", "scripted", "none")


@dataclass(frozen=True, slots=True)
class Delayed:
    """What to say after `seconds` of the backend's clock; ModelTimeout when that is longer than the call may take."""

    seconds: float
    then: "RawOutput | Exception"


@dataclass(frozen=True, slots=True)
class Asked:
    """One attempt as the backend saw it."""

    request: ModelRequest
    meta: CallMeta
    timeout_s: float


Line: TypeAlias = RawOutput | Exception | Delayed


class ScriptedBackend(ModelBackend):
    """Says its lines in order, then `otherwise` to every further call, and keeps in `asked` what it was asked.

    `otherwise` is a line, or a function from request to line; without it, running out of lines is an AssertionError.
    `cancelled` counts attempts that were cancelled while a delay ran.
    """

    def __init__(
        self,
        lines: Iterable[Line] = (),
        *,
        clock: Clock,
        otherwise: Line | Callable[[ModelRequest], Line] | None = None,
        identity: ModelIdentity = SCRIPTED_MODEL,
        name: str = "scripted",
    ) -> None:
        self._lines = list(lines)
        self._clock = clock
        self._otherwise = otherwise
        self._identity = identity
        self._name = name
        self.asked: list[Asked] = []
        self.cancelled = 0
        self.running = 0
        self.most_running = 0

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return self._name

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        self.asked.append(Asked(request, meta, timeout_s))
        line = self._next(request)
        if isinstance(line, Delayed):
            await self._wait(min(line.seconds, timeout_s))
            if line.seconds > timeout_s:
                raise ModelTimeout(f"no answer within {timeout_s:.1f} s")
            line = line.then
        if isinstance(line, Exception):
            raise line
        return line

    async def _wait(self, seconds: float) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        ended = False
        try:
            await self._clock.sleep(seconds)
            ended = True
        finally:
            self.running -= 1
            self.cancelled += not ended

    def _next(self, request: ModelRequest) -> Line:
        if self._lines:
            return self._lines.pop(0)
        line = self._otherwise(request) if callable(self._otherwise) else self._otherwise
        if line is None:
            raise AssertionError("the script has no more lines")
        return line
