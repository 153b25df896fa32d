"""How long a job still takes: its stages as they were priced beforehand, corrected by what this very job has shown.

Three rules, each continuous, so that the number moves with the clock and does not jump when a stage begins:

1. A stage that was priced at T counts down from T.
2. Units that end correct T. Where they come one after another, the pace seen is blended with the price, which weighs as much as
   `PRICE_WEIGHT` of the stage (a conjugate prior on the pace). Where all units in flight share the engine, nobody knows how far
   they are, so the price stands as long as it fits what ended, and moves to the nearest value that does.
3. What is later than due is taken to need as long again as it is late already: with nothing known but the time that has passed,
   that is the median (Gott, "Implications of the Copernican principle for our future prospects", Nature 363, 1993).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ports.clock import Clock

PRICE_WEIGHT: Final = 0.15
"""Share of a stage that the price made beforehand counts as, beside the share that was seen."""
AT_ONCE_SHARE: Final = 0.2
"""A unit that ends within this share of its own time, from the beginning of its stage, was not worked on: it was cached."""
OVERDUE_FACTOR: Final = 1.5
OVERDUE_SLACK_S: Final = 2.0
"""A stage is overdue when all of it is going to take longer than its price by this factor and by these seconds."""


@dataclass(slots=True)
class _Stage:
    """One stage. Shares are from 0 to 1, times in seconds; `usual` is its share of a job where no price is known.

    `head` is what comes before the units and is no part of their price.
    """

    usual: float
    price: float | None = None
    head: float = 0.0
    began: float | None = None
    ended: float | None = None
    in_order: bool = True
    flying: float = 1.0
    known: float = 0.0
    done: float = 0.0
    done_after: float = 0.0

    def advance(self, share: float, unit: float, after: float) -> None:
        """`share` of the units have ended, each of which is `unit` of the stage, `after` seconds from its beginning."""
        after = max(0.0, after - self.head)
        if self.price is not None and self.done == 0 and after <= AT_ONCE_SHARE * unit * self.price:
            self.known = share
        elif self.known < 1:
            self.done, self.done_after = (share - self.known) / (1 - self.known), after

    @property
    def worked(self) -> float:
        """The share that has ended, what was known from the start included."""
        return self.known + (1 - self.known) * self.done

    @property
    def in_hand(self) -> float:
        """The share that has ended or is under way."""
        return min(1.0, self.done + self.flying)

    @property
    def own_price(self) -> float | None:
        """The price of the units that were not known from the start."""
        return None if self.price is None else self.price * (1 - self.known)

    @property
    def pace(self) -> float:
        """How many times its price the stage took, once it is over."""
        price = self.own_price
        if not price or self.began is None or self.ended is None:
            return 1.0
        return (self.ended - self.began) / (self.head + price)

    def total(self) -> float | None:
        """Return how long the stage takes in all; None while nothing is known."""
        units = self._units()
        return None if units is None else self.head + units

    def _units(self) -> float | None:
        """Return how long the units take, by rule 2."""
        price = self.own_price
        if self.done == 0:
            return price
        seen = self.done_after / self.done
        if price is None:
            return seen
        if self.in_order:
            weight = PRICE_WEIGHT * (1 - self.done)  # what is left is all that the price still speaks of
            return (weight * price + self.done_after) / (weight + self.done)
        least = self.done_after / self.in_hand
        if price < least:  # by rule 3, but never beyond the middle of what fits
            return min(2 * least - price, math.sqrt(least * seen))
        return min(price, seen)

    def left(self, after: float) -> float | None:
        """Return how long the stage still takes, `after` seconds from its beginning."""
        units = self._units()
        if units is None:
            return None
        late = after - self.head - units * self.in_hand
        if late <= 0:
            return self.head + units - after
        return (after - self.head) * (1 - self.in_hand) / self.in_hand + late

    def overdue(self, after: float) -> bool:
        left, price = self.left(after), self.own_price
        if left is None or price is None:
            return False
        return after + left > OVERDUE_FACTOR * (self.head + price) + OVERDUE_SLACK_S


class RemainingTime:
    """Follows one job through its stages, by a clock. `usual` gives their order, and what share each usually is."""

    def __init__(self, clock: Clock, usual: Mapping[str, float]) -> None:
        self._clock = clock
        self._stages = {name: _Stage(share) for name, share in usual.items()}
        self._now: _Stage | None = None

    def price(self, stage: str, seconds: float | None) -> None:
        """Say how long a stage is going to take as far as anybody knows; None when nobody does."""
        self._stages[stage].price = seconds

    def begin(
        self, stage: str, *, in_flight: float = 1.0, in_order: bool = True, head_s: float = 0.0, like: str | None = None
    ) -> None:
        """Enter a stage; those before it are over. `in_flight` is the share of it that is under way at a time.

        `head_s` is what comes before its units and is not in its price. `like` names an earlier stage of the same model: this one
        is off its price as that one was.
        """
        now = self._clock.monotonic()
        for name, earlier in self._stages.items():
            if name == stage:
                break
            earlier.ended = now if earlier.ended is None else earlier.ended
        self._now = self._stages[stage]
        if like is not None and self._now.price is not None:
            self._now.price *= self._stages[like].pace
        self._now.head = head_s
        self._now.began, self._now.flying, self._now.in_order = now, min(1.0, in_flight), in_order

    def advance(self, done: float, of: float) -> None:
        """`done` of `of` units of the present stage have ended."""
        if self._now is not None and of > 0:
            self._now.advance(min(1.0, done / of), 1 / of, self._after(self._now))

    @property
    def left_s(self) -> float | None:
        """Seconds until the job is done; None while a stage has no price and has shown no pace."""
        left = [self._left(stage) for stage in self._stages.values()]
        return None if None in left else sum(seconds for seconds in left if seconds is not None)

    @property
    def overdue(self) -> bool:
        """Whether the present stage takes longer than it was expected to."""
        return self._now is not None and self._now.overdue(self._after(self._now))

    @property
    def fraction(self) -> float:
        """The share of the job's time that lies behind, by the units that have ended; may go back when a stage is slow."""
        weights = {name: self._weight(stage) for name, stage in self._stages.items()}
        if None in weights.values():
            weights = {name: stage.usual for name, stage in self._stages.items()}
        behind = sum((weights[name] or 0.0) * self._share(stage) for name, stage in self._stages.items())
        whole = sum(weight or 0.0 for weight in weights.values())
        return behind / whole if whole > 0 else 0.0

    def _after(self, stage: _Stage) -> float:
        return 0.0 if stage.began is None else self._clock.monotonic() - stage.began

    def _left(self, stage: _Stage) -> float | None:
        if stage.ended is not None:
            return 0.0
        return stage.price if stage.began is None else stage.left(self._after(stage))

    def _weight(self, stage: _Stage) -> float | None:
        """The seconds of a stage: those it took, or those it is going to take."""
        if stage.ended is not None:
            return 0.0 if stage.began is None else stage.ended - stage.began
        return stage.price if stage.began is None else stage.total()

    def _share(self, stage: _Stage) -> float:
        if stage.ended is not None:
            return 1.0
        return 0.0 if stage.began is None else stage.worked
