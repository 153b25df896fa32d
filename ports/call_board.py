"""What the processes of one service tell one another about the models that they call."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """What is posted about the breaker of one target. `serial` rises with each change.

    `open_for_s` is how long it was opened for, None where it is closed; `left_s` how much of that is left, 0 once a probe may
    pass.
    """

    serial: int
    open_for_s: float | None = None
    left_s: float = 0.0


@dataclass(frozen=True, slots=True)
class News:
    """The board as a whole: notices by target, and what each process (by owner) uses of each thing that they share."""

    breakers: Mapping[str, Notice] = field(default_factory=dict)
    demand: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class CallBoard(Protocol):
    """A board that all processes of the service read now and then, and write to when something changes, never once a call.

    `target` names a backend and a model, `owner` a process. Every method raises StorageFailed when the board can not be reached.
    """

    @abstractmethod
    async def exchange(self, owner: str, demand: Mapping[str, float] | None, for_s: float) -> News:
        """Post `demand` for `for_s` seconds in place of what the owner posted before, and return the news; None only reads."""

    @abstractmethod
    async def open(self, target: str, owner: str, open_for_s: float, doubt_s: float) -> Notice | None:
        """Post that nobody may call for `open_for_s`, and return what stands there: an earlier opening stays until its time is up
        and while it is probed.

        None, with nothing posted, for an owner whose last opening a probe of another process refuted less than `doubt_s` ago:
        then it is that process which can not reach the target.
        """

    @abstractmethod
    async def probe(self, target: str, owner: str, hold_s: float) -> bool:
        """Claim the one probe of an opening whose time is up, or hold it for longer; False when it is not to be had."""

    @abstractmethod
    async def drop_probe(self, target: str, owner: str) -> None:
        """Give back a probe that found out nothing, so that another may be made at once."""

    @abstractmethod
    async def reopen(self, target: str, owner: str, open_for_s: float) -> Notice | None:
        """Post that the owner's probe failed; None when the probe is no longer the owner's."""

    @abstractmethod
    async def close(self, target: str, owner: str) -> Notice | None:
        """Post that the owner's probe was answered; None when the probe is no longer the owner's."""
