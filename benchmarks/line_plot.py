"""Lines over two logarithmic axes, as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 70, 190, 40, 50
COLOURS: Final = ("#1b6ca8", "#d1495b", "#2e7d32", "#8e5ea2", "#e08e0b", "#4d4d4d")


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y), all above zero."""

    name: str
    points: Sequence[tuple[float, float]]


def line_plot(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """Return an SVG with a legend. Both axes are logarithmic, with a mark at each power of ten."""
    xs, ys = ([point[n] for line in lines for point in line.points] for n in (0, 1))
    x, y = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT), _Axis(min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 22, title, size=15),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, across, anchor="middle"),
        _text(14, TOP - 8, up),
    ]
    for mark in x.marks:
        drawn.append(_stroke([(x.at(mark), TOP), (x.at(mark), HEIGHT - BOTTOM)]))
        drawn.append(_text(x.at(mark), HEIGHT - 32, f"{mark:,.9g}", "middle"))
    for mark in y.marks:
        drawn.append(_stroke([(LEFT, y.at(mark)), (WIDTH - RIGHT, y.at(mark))]))
        drawn.append(_text(LEFT - 6, y.at(mark) + 4, f"{mark:,.9g}", "end"))
    for number, line in enumerate(lines):
        colour, key, index = COLOURS[number % len(COLOURS)], WIDTH - RIGHT + 14, TOP + 18 * number + 10
        drawn.append(_stroke([(x.at(right), y.at(above)) for right, above in line.points], colour, 2))
        drawn += [_stroke([(key, index), (key + 20, index)], colour, 2), _text(key + 26, index + 4, line.name)]
    return "\n".join([*drawn, "</svg>"]) + "\n"


class _Axis:
    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._low, self._high = math.floor(math.log10(least)), max(math.floor(math.log10(least)) + 1, math.ceil(math.log10(most)))
        self._start, self._end = start, end
        self.marks = [10.0**power for power in range(self._low, self._high + 1)]

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return round(self._start + share * (self._end - self._start), 1)


def _stroke(points: Sequence[tuple[float, float]], colour: str = "#dddddd", width: int = 1) -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
