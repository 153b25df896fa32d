"""Recordings with reference texts, and how many words and characters of them a transcript has wrong."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.transcript import Word

WITHOUT_SPACES: Final = ("ja", "zh", "ko")
"""Written without spaces: no word error rate, only a character error rate."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said in one go. Seconds of the recording."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording with its reference text; `turns` where the reference has times."""

    path: Path
    reference: str
    language: str
    condition: str
    seconds: float
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Errors:
    """Edits and units (words, or characters) of one text against its reference."""

    edits: int
    units: int

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(self.edits + other.edits, self.units + other.units)

    @property
    def rate(self) -> float:
        return self.edits / self.units if self.units else 0.0


def read_corpus(folder: Path, limit: int | None = None) -> list[Clip]:
    """Return the clips that count, shortest first; with `limit`, every n-th of them in order of language and condition."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    clips = [
        Clip(folder / row["file"], row["reference"], row["language"], row["condition"], row["duration_s"], _turns(row))
        for row in rows
        if row.get("score_wer") is not False
    ]
    if limit is not None and limit < len(clips):
        ordered = sorted(clips, key=lambda clip: (clip.language, clip.condition, clip.path.name))
        clips = [ordered[i * len(ordered) // limit] for i in range(limit)]
    return sorted(clips, key=lambda clip: (clip.seconds, clip.path.name))


def _turns(row: dict[str, Any]) -> tuple[Turn, ...]:
    return tuple(Turn(each["start"], each["end"], each["text"]) for each in row.get("segments", ()))


def read_meeting(recording: Path, condition: str) -> Clip:
    """Return a recording whose turns stand in the JSON file beside it."""
    said = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))
    turns = tuple(Turn(turn["start_s"], turn["end_s"], turn["text"]) for turn in said["turns"])
    return Clip(recording, " ".join(turn.text for turn in turns), said["language"], condition, said["duration_s"], turns)


@dataclass(frozen=True, slots=True)
class TurnErrors:
    """What became of one turn: its words as normalised, those that were heard in their place, and the errors."""

    reference: str
    heard: str
    words: Errors
    characters: Errors


class ErrorCounter:
    """Counts errors after the usual normalisation: Whisper's own for English, its basic one for the rest."""

    def __init__(self) -> None:
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer

        self._english, self._basic = EnglishTextNormalizer(), BasicTextNormalizer()

    def normalised(self, language: str, text: str) -> str:
        return str((self._english if language == "en" else self._basic)(text)).strip()

    def __call__(self, clip: Clip, text: str) -> Errors:
        """Return the errors in the unit that the language is usually scored in."""
        return self.characters(clip, text) if clip.language in WITHOUT_SPACES else self.words(clip, text)

    def words(self, clip: Clip, text: str) -> Errors:
        import jiwer

        return _errors(jiwer.process_words(self.normalised(clip.language, clip.reference), self.normalised(clip.language, text)))

    def characters(self, clip: Clip, text: str) -> Errors:
        """Spaces count only in languages that write them."""
        reference, heard = self.normalised(clip.language, clip.reference), self.normalised(clip.language, text)
        if clip.language in WITHOUT_SPACES:
            reference, heard = reference.replace(" ", ""), heard.replace(" ", "")
        return _characters(reference, heard)

    def by_turn(self, clip: Clip, text: str) -> list[TurnErrors]:
        """Return the errors of each turn; words too many count for the turn that they follow.

        The words of all turns are aligned with the transcript at once, so the edits add up to those of the recording. Only for
        languages with spaces.
        """
        import jiwer

        said = [self.normalised(clip.language, turn.text).split() for turn in clip.turns]
        heard = self.normalised(clip.language, text).split()
        owner = [index for index, words in enumerate(said) for _ in words]
        edits, kept = [0] * len(said), [[] for _ in said]  # type: tuple[list[int], list[list[str]]]
        for step in jiwer.process_words(" ".join(word for words in said for word in words), " ".join(heard)).alignments[0]:
            length = max(step.ref_end_idx - step.ref_start_idx, step.hyp_end_idx - step.hyp_start_idx)
            for offset in range(length):
                last = step.ref_start_idx + offset if step.type != "insert" else max(step.ref_start_idx - 1, 0)
                edits[owner[last]] += step.type != "equal"
                if step.type != "delete":
                    kept[owner[last]].append(heard[step.hyp_start_idx + offset])
        return [
            TurnErrors(" ".join(words), " ".join(got), Errors(wrong, len(words)), _characters(" ".join(words), " ".join(got)))
            for words, got, wrong in zip(said, kept, edits, strict=True)
        ]


def word_edits(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Return how many words have to be put in, left out or changed to make the one text of the other."""
    import jiwer

    if not reference:
        return len(heard)
    return _errors(jiwer.process_words(" ".join(reference), " ".join(heard))).edits


def _errors(out: Any) -> Errors:
    return Errors(out.substitutions + out.deletions + out.insertions, out.substitutions + out.deletions + out.hits)


def _characters(reference: str, heard: str) -> Errors:
    import jiwer

    if not reference:
        return Errors(len(heard), 0)
    return _errors(jiwer.process_characters(reference, heard))


def start_errors(turns: Sequence[Turn], words: Iterable[Word]) -> list[float | None]:
    """Return, per turn, by how many seconds its first word is off; None where that word was not recognised in its place.

    Words are compared without case and punctuation.
    """
    import jiwer

    said = [_plain(turn.text) for turn in turns]
    heard = [(plain, word.start) for word in words for plain in _plain(word.text)]
    reference = [word for turn in said for word in turn]
    found: dict[int, float] = {}
    for step in jiwer.process_words(" ".join(reference), " ".join(word for word, _ in heard)).alignments[0]:
        if step.type == "equal":
            for offset in range(step.ref_end_idx - step.ref_start_idx):
                found[step.ref_start_idx + offset] = heard[step.hyp_start_idx + offset][1]
    errors: list[float | None] = []
    index = 0
    for turn, spoken in zip(turns, said, strict=True):
        errors.append(abs(found[index] - turn.start) if spoken and index in found else None)
        index += len(spoken)
    return errors


def _plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower().replace("'", "").replace("’", ""))
