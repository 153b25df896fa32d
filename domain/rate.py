"""How fast a replica works, as it measured about itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineRate:
    """The speed of one replica in the unit of its model.

    `input_per_s`: seconds of sound (transcriber) or tokens read (language model, embedder) per second. `output_per_s`: tokens
    written per second, 0 for a model that writes none. Both are those of one call alone; with as many calls at once as the
    engine takes, it does `speedup` times as much.
    """

    input_per_s: float
    output_per_s: float = 0.0
    speedup: float = 1.0

    def seconds(self, input_units: float, output_tokens: float = 0.0, calls: int = 1) -> float:
        """Return how long `calls` calls take that read `input_units` and write `output_tokens` together, side by side."""
        alone = input_units / self.input_per_s
        if output_tokens and self.output_per_s:
            alone += output_tokens / self.output_per_s
        return alone / min(self.speedup, max(1, calls))
