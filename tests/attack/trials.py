"""What an attack is here: a name, what it tries, and a function that says what came back and whether the service held."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

import psutil

MIB: Final = 1024 * 1024
LOOK_S: Final = 0.05
"""Seconds between two looks at the memory of the ingress."""
RECOVERY_S: Final = 20.0
"""Seconds that the ingress gets to give back what an attack before made it hold."""


class Outcome(NamedTuple):
    """What came back, in a few words, and whether that is right."""

    came_back: str
    held: bool


@dataclass(frozen=True, slots=True)
class Attack:
    """`may_grow_mib`: how much more memory the ingress may hold at its worst moment; None where memory is not the point."""

    name: str
    tried: str
    run: Callable[[], Outcome]
    may_grow_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """An attack that was run, with the memory of the ingress in MiB at rest, before, at its worst moment, and after.

    At rest is the least that it ever held: what an attack before left behind is no excuse.
    """

    attack: Attack
    outcome: Outcome
    rest: float
    before: float
    worst: float
    after: float

    @property
    def held(self) -> bool:
        allowed = self.attack.may_grow_mib
        return self.outcome.held and (allowed is None or self.worst - self.rest <= allowed)


def try_all(attacks: Iterable[Attack], ingress: Callable[[], psutil.Process], recovery_s: float = RECOVERY_S) -> Iterator[Trial]:
    """Run them in order; before one that is judged by memory, wait until what the last one took is given back."""
    rest = _mib(ingress())
    for attack in attacks:
        if (allowed := attack.may_grow_mib) is not None:
            waited_for(lambda: _mib(ingress()) <= rest + allowed / 4, recovery_s)  # noqa: B023 - called before the next turn
        trial = try_one(attack, ingress, rest)
        rest = min(rest, trial.before)
        yield trial


def try_one(attack: Attack, ingress: Callable[[], psutil.Process], rest: float = 0.0) -> Trial:
    """Run one attack and watch the ingress; an attack that breaks off is one that did not hold."""
    process = ingress()
    with _watched(process) as worst:
        before = _mib(process)
        rest = min(rest or before, before)
        try:
            outcome = attack.run()
        except Exception as broken:  # the table has to be whole
            outcome = Outcome(f"{type(broken).__name__}: {broken}"[:200], False)
    if not process.is_running():
        return Trial(attack, Outcome(f"{outcome.came_back}; the ingress died", False), rest, before, max(worst), 0.0)
    return Trial(attack, outcome, rest, before, max(worst), _mib(process))


@contextmanager
def _watched(process: psutil.Process) -> Iterator[list[float]]:
    """The memory that the process held at each look."""
    seen, over = [_mib(process)], threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            seen.append(_mib(process))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
        seen.append(_mib(process))  # an attack may be over before anybody has looked


def _mib(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MIB
    except psutil.Error:
        return 0.0


def table(trials: Sequence[Trial]) -> str:
    """All trials in Markdown."""
    lines = ["| attack | tried | came back | ingress, MiB: at rest, before, worst, after | |", "| --- | --- | --- | --- | --- |"]
    for trial in trials:
        memory = f"{trial.rest:.0f}, {trial.before:.0f}, {trial.worst:.0f}, {trial.after:.0f}"
        cells = (trial.attack.name, trial.attack.tried, trial.outcome.came_back, memory, "PASS" if trial.held else "FAIL")
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines)


def waited_for(true: Callable[[], bool], timeout: float, pause: float = 0.1) -> float | None:
    """Seconds until it is true; None when it is not within `timeout`."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < timeout:
        if true():
            return passed
        time.sleep(pause)
    return None
