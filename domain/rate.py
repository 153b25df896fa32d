"""How fast a replica works, as it measured about itself."""

from dataclasses import dataclass, replace
from typing import Final

SMOOTHING: Final = 0.3
"""Weight of the newest measurement in the exponential average: a machine's other work comes and goes within minutes."""
MOST_CHANGE: Final = 2.0
"""One measurement changes a rate by no more than this factor: a single stall is no new speed."""


@dataclass(frozen=True, slots=True)
class EngineRate:
    """The speed of one replica in the unit of its model.

    `input_per_s`: seconds of sound (transcriber) or tokens read (language model, embedder) per second. `output_per_s`: tokens
    written per second, 0 for a model that writes none. Both are those of one call alone; with as many calls at once as the
    engine takes, it does `speedup` times as much. `loads_s`: seconds from the start of a replica until it is warm; 0 where it was
    not measured.
    """

    input_per_s: float
    output_per_s: float = 0.0
    speedup: float = 1.0
    loads_s: float = 0.0

    def seconds(self, input_units: float, output_tokens: float = 0.0, calls: int = 1) -> float:
        """Return how long `calls` calls take that read `input_units` and write `output_tokens` together, side by side."""
        alone = input_units / self.input_per_s
        if output_tokens and self.output_per_s:
            alone += output_tokens / self.output_per_s
        return alone / min(self.speedup, max(1, calls))


class RateMeter:
    """Keeps a rate up to date with what calls really took."""

    def __init__(self, start: EngineRate | None = None) -> None:
        self.current = start

    def learn(self, seconds: float, input_units: float, output_tokens: float = 0.0, calls: int = 1) -> None:
        """Take `calls` calls into account that had the engine for themselves for `seconds`.

        What one call took moves the rates of reading and writing alike, since its time can not be told apart; what several took
        moves the speed-up.
        """
        if self.current is None or seconds <= 0 or input_units <= 0:
            return
        faster = self.current.seconds(input_units, output_tokens, calls) / seconds
        factor = min(MOST_CHANGE, max(1 / MOST_CHANGE, faster)) ** SMOOTHING
        if calls > 1:
            self.current = replace(self.current, speedup=min(float(calls), max(1.0, self.current.speedup * factor)))
        else:
            self.current = replace(
                self.current,
                input_per_s=self.current.input_per_s * factor,
                output_per_s=self.current.output_per_s * factor,
            )
