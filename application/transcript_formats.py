"""Transcripts as text files: plain, SubRip, WebVTT and Markdown. Pure functions over segments."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from domain.named_speakers import SpeakerStatus
from domain.outline import Paragraph, TranscriptOutline
from domain.sentences import ends_clause, ends_sentence
from domain.transcript import Segment, Transcript, Word

LINE_CHARACTERS = 42
"""Characters per subtitle line (BBC and Netflix guidelines: 37 to 42)."""
CUE_LINES = 2
"""Lines per cue (both guidelines)."""
SHORTEST_CUE_S = 0.001
"""A cue must end after it starts; players drop the others."""
READING_CHARACTERS_PER_S = 17.0
"""How fast adults read subtitles (Netflix: 17 to 20 characters a second)."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines shown from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str | None = None


def plain_text(transcript: Transcript) -> str:
    """One segment a line, with the speaker where it is known."""
    return "".join(f"{_named(segment)}\n" for segment in transcript.segments if segment.text.strip())


def subrip(transcript: Transcript) -> str:
    """SRT: numbered cues, `HH:MM:SS,mmm`, a blank line after each."""
    return "".join(
        f"{number}\n{clock_time(cue.start, ',')} --> {clock_time(cue.end, ',')}\n{_srt_text(cue)}\n\n"
        for number, cue in enumerate(cues(transcript.segments), 1)
    )


def web_vtt(transcript: Transcript) -> str:
    """WebVTT: `HH:MM:SS.mmm`, text escaped as the format asks, speakers as voice spans."""
    return "WEBVTT\n\n" + "".join(
        f"{clock_time(cue.start, '.')} --> {clock_time(cue.end, '.')}\n{_vtt_text(cue)}\n\n" for cue in cues(transcript.segments)
    )


def markdown(transcript: Transcript) -> str:
    """Paragraphs with their times, each with the anchor of its segment; what is missing or doubtful stands at the end."""
    about = _about(transcript, f"`{transcript.language}`")
    head = ["# Transcript", "", about, ""]
    body = [
        f'<a id="{anchor(segment.id)}"></a>**[{short_time(segment.start)}]** {escape_markdown(_named(segment))}\n'
        for segment in transcript.segments
        if segment.text.strip()
    ]
    return "\n".join([*head, *body, *_doubts_markdown(transcript)]).rstrip() + "\n"


def transcript_outline(transcript: Transcript) -> TranscriptOutline:
    """The same before any format."""
    paragraphs = (
        Paragraph(anchor(s.id), short_time(s.start), one_line(s.speaker) if s.speaker else None, one_line(s.text))
        for s in transcript.segments
        if s.text.strip()
    )
    about = _about(transcript, transcript.language)
    return TranscriptOutline(transcript.language, about, tuple(paragraphs), tuple(_doubts(transcript)))


def anchor(segment_id: int) -> str:
    """What links to a segment of a transcript end with."""
    return f"t-{segment_id}"


def clock_time(seconds: float, mark: str) -> str:
    """`HH:MM:SS` + `mark` + milliseconds, rounded once so that 59.9996 becomes the next minute."""
    milliseconds = max(0, round(seconds * 1000))
    rest, millis = divmod(milliseconds, 1000)
    minutes, second = divmod(rest, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}{mark}{millis:03d}"


def short_time(seconds: float) -> str:
    """`M:SS`, or `H:MM:SS` from one hour on: for people."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def escape_markdown(text: str) -> str:
    """Spoken words never become markup."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", one_line(text))


def one_line(text: str) -> str:
    """White space of any kind becomes one space; control characters go."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else " " for c in text).split())


def cues(segments: Sequence[Segment]) -> Iterator[Cue]:
    """Yield cues of at most `CUE_LINES` lines; each stays until it can be read, or the next one comes."""
    spoken = list(_spoken_cues(segments))
    for cue, following in zip_longest(spoken, spoken[1:]):
        readable = cue.start + sum(len(line) for line in cue.lines) / READING_CHARACTERS_PER_S
        latest = max(cue.end, following.start) if following else readable
        yield replace(cue, end=max(cue.end, min(readable, latest)))


def _spoken_cues(segments: Sequence[Segment]) -> Iterator[Cue]:
    """Cut longer segments between words, where a sentence or clause ends if one does, at the words' own times when known."""
    for segment in segments:
        groups = [tuple(_wrapped(text)) for text in cue_texts(one_line(segment.text))]
        bounds = _bounds(segment, [sum(len(line.split()) for line in group) for group in groups])
        for group, (start, end) in zip(groups, bounds, strict=True):
            yield Cue(start, max(end, start + SHORTEST_CUE_S), group, segment.speaker)


def cue_texts(text: str) -> list[str]:
    """Cut a text into as few pieces as fit a cue each, those among them that end where a sentence or clause does, of like length.

    Knuth and Plass's way for lines of a paragraph (1981): the least cost over all ways to cut.
    """
    words = text.split()
    if any(len(word) > LINE_CHARACTERS for word in words):
        lines = _wrapped(text)
        return [" ".join(lines[at : at + CUE_LINES]) for at in range(0, len(lines), CUE_LINES)]
    costs, begins = [0.0], [0]
    for end in range(1, len(words) + 1):
        found: list[tuple[float, int]] = []
        for begin in range(end - 1, -1, -1):
            piece = " ".join(words[begin:end])
            if len(_wrapped(piece)) > CUE_LINES:
                break
            found.append((costs[begin] + _cost(piece, words[end - 1], last=end == len(words)), begin))
        cost, begin = min(found)
        costs.append(cost)
        begins.append(begin)
    pieces, end = [], len(words)
    while end:
        pieces.append(" ".join(words[begins[end] : end]))
        end = begins[end]
    return pieces[::-1]


def _cost(piece: str, last_word: str, *, last: bool) -> float:
    """One for a cue, a part of that for what is left empty in it and for an end inside a clause."""
    room = 1 - len(piece) / (CUE_LINES * LINE_CHARACTERS)
    ends_well = last or ends_sentence(last_word)
    return 1 + 0.3 * room * room + (0.0 if ends_well else 0.1 if ends_clause(last_word) else 0.3)


def _wrapped(text: str) -> list[str]:
    """Break between words; a longer word, or writing without spaces, is cut at the line's length."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) <= LINE_CHARACTERS:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        *full, line = [word[at : at + LINE_CHARACTERS] for at in range(0, len(word), LINE_CHARACTERS)]
        lines.extend(full)
    return [*lines, line] if line else lines


def _bounds(segment: Segment, counts: Sequence[int]) -> list[tuple[float, float]]:
    """Times of each group of words: the words' own when every word has them, else shares of the segment."""
    total = sum(counts)
    if total == 0:
        return []
    timed = segment.words if len(segment.words) == total else ()
    bounds: list[tuple[float, float]] = []
    seen = 0
    for count in counts:
        bounds.append((_begin(segment, timed, seen, total), _end(segment, timed, seen + count, total)))
        seen += count
    return bounds


def _begin(segment: Segment, timed: Sequence[Word], at: int, total: int) -> float:
    if at == 0:
        return segment.start
    return timed[at].start if timed else segment.start + (segment.end - segment.start) * at / total


def _end(segment: Segment, timed: Sequence[Word], at: int, total: int) -> float:
    if at >= total:
        return segment.end
    return timed[at - 1].end if timed else segment.start + (segment.end - segment.start) * at / total


def _named(segment: Segment) -> str:
    text = one_line(segment.text)
    return f"{one_line(segment.speaker)}: {text}" if segment.speaker else text


def _srt_text(cue: Cue) -> str:
    """SRT has no escapes: an arrow in the words would start a cue, so it is spelt apart."""
    lines = [line.replace("-->", "-- >") for line in cue.lines]
    if cue.speaker:
        lines[0] = f"{one_line(cue.speaker).replace('-->', '-- >')}: {lines[0]}"
    return "\n".join(lines)


def _vtt_text(cue: Cue) -> str:
    text = "\n".join(_escape_vtt(line) for line in cue.lines)
    return f"<v {_escape_vtt(one_line(cue.speaker))}>{text}" if cue.speaker else text


def _escape_vtt(text: str) -> str:
    """W3C WebVTT, cue text: `&`, `<` are escaped; `>` too, so that `-->` can not appear."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _about(transcript: Transcript, language: str) -> str:
    ratio = f"{transcript.coverage.ratio:.0%} of the speech has text."
    return f"{short_time(transcript.duration)} long, language {language}, {ratio}"


def _doubts(transcript: Transcript) -> list[str]:
    damaged = ["The recording was damaged; this is what could be decoded."] if transcript.damaged else []
    unknown = [f"Who speaks could not be told: {transcript.speakers.reason}."] if _lacks_speakers(transcript) else []
    return damaged + unknown + [f"{short_time(s.start)} to {short_time(s.end)}: {s.reason}" for s in transcript.coverage.suspects]


def _lacks_speakers(transcript: Transcript) -> bool:
    return transcript.speakers.status is SpeakerStatus.FAILED


def _doubts_markdown(transcript: Transcript) -> list[str]:
    doubts = [f"- {doubt}" for doubt in _doubts(transcript)]
    return ["## Without text or in doubt", "", *doubts] if doubts else []
