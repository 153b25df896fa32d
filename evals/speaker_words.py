"""How many words are wrong, or given to the wrong speaker: the concatenated minimum-permutation word error rate (cpWER).

All words of a speaker are one text; texts found are matched with those of the reference one to one, so that as little as possible
is wrong (Watanabe et al. 2020). Over the word error rate of the same recording it tells what the wrong speaker costs. Where
several talk at once it is the rate to look at, since it asks for no order among them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from domain.transcript import Transcript
from evals.diarization_error import Talk
from evals.speech import ErrorCounter, Errors, word_edits

NOBODY = ""
"""Whose words are those that nobody was heard to say: a text of its own, which no speaker gets for nothing."""


def words_by_speaker(transcript: Transcript) -> dict[str, str]:
    """Return all words of each speaker of a transcript, in order of time."""
    found: dict[str, list[str]] = defaultdict(list)
    for segment in transcript.segments:
        found[segment.speaker or NOBODY].append(segment.text)
    return {speaker: " ".join(texts) for speaker, texts in found.items()}


def speaker_word_errors(reference: Mapping[str, str], found: Mapping[str, str]) -> Errors:
    """Return the errors of the best matching of `found` to `reference`, both texts of one speaker each, normalised alike."""
    from scipy.optimize import linear_sum_assignment

    said, heard = ([text.split() for text in texts.values()] for texts in (reference, found))
    size = max(len(said), len(heard))
    said += [[]] * (size - len(said))  # whom nobody is matched with is matched with silence
    heard += [[]] * (size - len(heard))
    edits = [[word_edits(mine, theirs) for theirs in heard] for mine in said]
    rows, columns = linear_sum_assignment(edits) if size else ((), ())
    wrong = sum(edits[row][column] for row, column in zip(rows, columns, strict=True))
    return Errors(wrong, sum(map(len, said)))


def counted_words(language: str, talks: Sequence[Talk], transcript: Transcript, count: ErrorCounter) -> dict[str, float]:
    """Return `words`, `word_edits` of the recording as one text, its `cp_edits`, and what the speakers cost, `cp_edits_more`."""
    by_person: dict[str, list[str]] = defaultdict(list)
    for talk in talks:
        by_person[talk.person].append(talk.text)
    reference = {person: count.normalised(language, " ".join(texts)) for person, texts in by_person.items()}
    found = {speaker: count.normalised(language, text) for speaker, text in words_by_speaker(transcript).items()}
    cp = speaker_word_errors(reference, found)
    whole = count.normalised(language, " ".join(talk.text for talk in talks)), count.normalised(language, transcript.text)
    plain = word_edits(*(text.split() for text in whole))
    return {
        "words": float(cp.units),
        "word_edits": float(plain),
        "cp_edits": float(cp.edits),
        "cp_edits_more": float(cp.edits - plain),
    }
