"""From the loudness of a recording's channels to who speaks in which: pure rules, no sound.

A recording of two people with a microphone each needs no model to tell them apart: now the one channel is louder, now the other.
Where both channels hear everybody, as in stereo, the difference between them hardly changes, and nothing is told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from domain.audio import LEVEL_FRAME_S
from domain.speakers import SpeakerTurn

HEARD = 30
"""Decibels over one step of 16 bits, 60 below full scale: a channel that is never louder for long is dead."""
RISE = 10
"""Decibels by which a channel rises over its own quiet, at least, where somebody speaks in it: hiss and hum stay as they are."""
LOUD_FRAMES = 20
"""A channel is as loud as its loudest second: longer than clicks, and as much as somebody says who says one thing."""
QUIET_SHARE = 0.1
"""and as quiet as its quietest tenth: pauses and stops take more of any speech."""
SPEECH_RANGE = 25
"""Decibels below its loudness within which somebody speaks, as most sounds of speech are; but never nearer to its quiet than to
its loudness. What is quieter counts as this quiet."""
APART = 24
"""Decibels between the difference of two channels while the one speaks and while the other does, at least, where each has a
speaker. Microphones at two mouths give twice the leak between them, 30 and more; voices panned in stereo give half as much."""
SIDE = 0.05
"""Share of speech on each side of that at least. Clicks and jingles are less; whoever says less is left to their voice."""
TOGETHER = 6
"""Decibels around the middle between the two within which both speak: twice the energy."""
PAUSE_S = 0.3
"""Seconds of silence inside a turn: between words, not between turns."""


@dataclass(frozen=True, slots=True)
class ChannelTurns:
    """Turns of speakers, one a channel; `channels` has the channel of each. `apart`: whether the recording itself says that each
    of two channels has its own.
    """

    turns: tuple[SpeakerTurn, ...]
    channels: tuple[int, ...]
    apart: bool

    @property
    def speakers(self) -> int:
        return len(self.channels)


@dataclass(frozen=True, slots=True)
class _Channel:
    """A channel in which somebody speaks. `levels` are those of speech; what is quieter is at `least`, where nobody does."""

    levels: Sequence[int]
    loudness: int
    least: int


def channel_turns(levels: Sequence[bytes]) -> ChannelTurns:
    """Return who speaks in which channel. `levels` as in `DecodedAudio`.

    Only two channels are `apart` by themselves: with more, those of films hold speech in one and effects in the others.
    """
    spoken = {number: channel for number, each in enumerate(levels) if (channel := _spoken(each)) is not None}
    channels = list(spoken.values())
    sides = _sides(*channels) if len(channels) == len(levels) == 2 else None
    # Of two, the middle between their sides is where both are as loud as themselves; of more, their own loudness says so.
    shift = [(sides[0] + sides[1]) // 2, 0] if sides is not None else [channel.loudness for channel in channels]
    found = sorted(turn for index in range(len(channels)) for turn in _turns(_speaking(channels, shift, index), index))
    order = list(dict.fromkeys(index for _, _, index in found))
    turns = tuple(SpeakerTurn(start, end, order.index(index)) for start, end, index in found)
    apart = sides is not None and len(order) == 2 and sides[1] - sides[0] >= APART
    numbers = list(spoken)
    return ChannelTurns(turns, tuple(numbers[index] for index in order), apart)


def _spoken(channel: bytes) -> _Channel | None:
    """Return a channel as it is looked at; None for one that is dead, or that only hisses."""
    rising = sorted(channel)
    loudness = rising[-max(1, min(LOUD_FRAMES, len(channel) // 5))] if channel else 0
    quiet = rising[int(len(channel) * QUIET_SHARE)] if channel else 0
    if loudness < HEARD or loudness - quiet < RISE:
        return None
    least = max(loudness - SPEECH_RANGE, (loudness + quiet) // 2)
    return _Channel([max(level, least) for level in channel], loudness, least)


def _sides(one: _Channel, other: _Channel) -> tuple[int, int]:
    """Return the difference of two channels while the other speaks, and while the one does."""
    pairs = zip(one.levels, other.levels, strict=True)
    rising = sorted(a - b for a, b in pairs if a > one.least or b > other.least)
    beyond = int(len(rising) * SIDE)
    return rising[beyond], rising[-1 - beyond]


def _speaking(channels: Sequence[_Channel], shift: Sequence[int], index: int) -> list[bool]:
    """For each frame, whether somebody speaks in the channel, and it is not another one that is heard there."""
    mine = channels[index]
    others = [[level - shift[other] for level in c.levels] for other, c in enumerate(channels) if other != index]
    louder = [max(levels) for levels in zip(*others, strict=True)] if others else [-TOGETHER] * len(mine.levels)
    pairs = zip(mine.levels, louder, strict=True)
    return [level > mine.least and level - shift[index] > other - TOGETHER for level, other in pairs]


def _turns(frames: Sequence[bool], index: int) -> Iterator[tuple[float, float, int]]:
    """Yield the runs of speech of one channel, with short pauses in them."""
    begin: int | None = None
    end = at = 0
    for speaks, run in groupby(frames):
        length = len(list(run))
        if speaks:
            if begin is not None and (at - end) * LEVEL_FRAME_S > PAUSE_S:
                yield begin * LEVEL_FRAME_S, end * LEVEL_FRAME_S, index
                begin = None
            begin, end = at if begin is None else begin, at + length
        at += length
    if begin is not None:
        yield begin * LEVEL_FRAME_S, end * LEVEL_FRAME_S, index
