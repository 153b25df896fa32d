"""Give the words of a transcript to those who said them, and cut its segments where the speaker changes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from application.speakers.who_speaks import WhoSpeaks
from domain.named_speakers import Speakers, SpeakerStatus, ToldBy, label_of
from domain.sentences import SHORTEST_SENTENCE_SECONDS, cut_before, ends_sentence, word_texts
from domain.speakers import SpeakerTurn
from domain.transcript import Segment, Transcript

COLLAR_S = 0.25
"""How far a boundary between speakers may be off and still count as right: NIST's collar, since people that mark them differ by
as much. What is shorter says nothing about who spoke."""


@dataclass(slots=True)
class _Run:
    """Words `first` to `last` (exclusive) of a segment that one speaker said."""

    first: int
    last: int
    speaker: int | None


@dataclass(frozen=True, slots=True)
class GivenWords:
    """Segments of one speaker each, in order. `order`: the speakers by their numbers in the turns, in the order of their first
    words; `said_by`: for each segment the place of its speaker in it.
    """

    segments: tuple[Segment, ...]
    order: tuple[int, ...]
    said_by: tuple[int | None, ...]


def given_words(transcript: Transcript, turns: Sequence[SpeakerTurn]) -> GivenWords:
    """Return the segments of the transcript, cut where the speaker changes inside one, and numbered anew.

    Words go to who speaks while they are said. A sentence is cut only for a piece of it that could stand alone, of at least
    `SHORTEST_SENTENCE_SECONDS`: what is shorter stays with its sentence. Without word times a segment goes whole to who speaks
    most of it.
    """
    who = WhoSpeaks(turns)
    pieces = [piece for segment in transcript.segments for piece in _pieces(segment, who)]
    order = tuple(dict.fromkeys(speaker for _, speaker in pieces if speaker is not None))
    said_by = tuple(None if speaker is None else order.index(speaker) for _, speaker in pieces)
    return GivenWords(tuple(replace(segment, id=index) for index, (segment, _) in enumerate(pieces)), order, said_by)


def labelled(transcript: Transcript, given: GivenWords, names: Sequence[str], told_by: ToldBy) -> Transcript:
    """Return the transcript with the speaker of every segment, called by `names` in the order of their first words, as far as
    these go, and by their labels from there on.
    """
    labels = tuple(names[index] if index < len(names) else label_of(index) for index in range(len(given.order)))
    speakers = Speakers(SpeakerStatus.FOUND, None, told_by, labels, labels, given.said_by)
    return replace(transcript, segments=given.segments).naming(speakers)


def with_speakers(transcript: Transcript, turns: Sequence[SpeakerTurn], names: Sequence[str], told_by: ToldBy) -> Transcript:
    """Return the transcript with its words given to those who said them."""
    return labelled(transcript, given_words(transcript, turns), names, told_by)


def _pieces(segment: Segment, who: WhoSpeaks) -> Iterator[tuple[Segment, int | None]]:
    texts = word_texts(segment)
    if texts is None:
        yield segment, who.during(segment.start, segment.end)
        return
    runs = list(_runs(segment, texts, who))
    cut = cut_before(segment, [run.first for run in runs[1:]])
    yield from zip(cut, (run.speaker for run in runs), strict=True)


def _runs(segment: Segment, texts: Sequence[str], who: WhoSpeaks) -> list[_Run]:
    """Return the stretches of one speaker each, settled in every sentence first."""
    speakers = _speakers_of_words(segment, who)
    sentences: list[_Run] = []
    for first, last in _sentences(texts):
        of_sentence = [_Run(first + a, first + b, speaker) for a, b, speaker in _stretches(speakers[first:last])]
        sentences += _settled(of_sentence, segment, SHORTEST_SENTENCE_SECONDS)
    return _settled(sentences, segment, COLLAR_S)


def _speakers_of_words(segment: Segment, who: WhoSpeaks) -> list[int | None]:
    speakers: list[int | None] = []
    for word in segment.words:
        speakers.append(who.during(word.start, word.end, speakers[-1] if speakers else None))
    known = [speaker for speaker in speakers if speaker is not None]
    for index, speaker in enumerate(speakers):  # a word that nobody was heard to say goes on from the one before
        speakers[index] = speaker if speaker is not None else speakers[index - 1] if index else next(iter(known), None)
    return speakers


def _sentences(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    first = 0
    for index, text in enumerate(texts, 1):
        if index == len(texts) or ends_sentence(text):
            yield first, index
            first = index


def _stretches(speakers: Sequence[int | None]) -> Iterator[tuple[int, int, int | None]]:
    index = 0
    for speaker, same in groupby(speakers):
        length = len(list(same))
        yield index, index + length, speaker
        index += length


def _settled(runs: list[_Run], segment: Segment, shortest: float) -> list[_Run]:
    """Give the shortest run to its longer neighbour, until all are long enough or one is left."""
    runs = _joined(runs)
    while len(runs) > 1:
        index = min(range(len(runs)), key=lambda p: _seconds(runs[p], segment))
        if _seconds(runs[index], segment) >= shortest:
            break
        beside = [runs[p] for p in (index - 1, index + 1) if 0 <= p < len(runs)]
        runs[index].speaker = max(beside, key=lambda run: _seconds(run, segment)).speaker
        runs = _joined(runs)
    return runs


def _seconds(run: _Run, segment: Segment) -> float:
    return segment.words[run.last - 1].end - segment.words[run.first].start


def _joined(runs: Sequence[_Run]) -> list[_Run]:
    joined: list[_Run] = []
    for run in runs:
        if joined and joined[-1].speaker == run.speaker:
            joined[-1].last = run.last
        else:
            joined.append(replace(run))
    return joined
