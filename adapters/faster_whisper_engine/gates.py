"""Signs that a decoded text is not what was said: what makes a second try worth its price."""

import re
import zlib
from dataclasses import dataclass

from domain.transcript_gates import IMPOSSIBLE_RATE, NO_SPEECH, REPETITION

COMPRESSION_RATIO_LIMIT = 2.4
"""Text that gzip shrinks more than this repeats itself (Whisper paper, section 4.5)."""
AVG_LOGPROB_LIMIT = -1.0
"""Mean log-probability per token below which a decode counts as failed (Whisper paper, section 4.5)."""
NO_SPEECH_LIMIT = 0.6
"""Probability of the no-speech token above which an improbable text is silence (Whisper paper, section 4.5)."""
SURE_NO_SPEECH = 0.7
DOUBTFUL_LOGPROB = -0.5
"""A second pair for Whisper base, which believes its "You" over digital silence (-0.7 to -0.9) with a no-speech probability of
0.74 to 0.93; none of 180 windows of speech went above 0.58 (benchmarks/word_error_rate.py)."""
WORDS_PER_SECOND_LIMIT = 8.0
"""Twice a fast talker: English conversation averages 2 to 3 words per second, auctioneers reach about 6."""
LOOP_REPEATS = 5
"""The same words this many times in a row; people stop at three or four ("no, no, no, no")."""
HOPELESS_REPEATS = 8
"""So many that the text is given up: the validation of every engine's answers (adapters/guard) refuses it as well."""
LOOP_LONGEST_PHRASE = 8
"""Words in the longest phrase that is looked for in a row."""
LONGEST_WORD = 40
"""Mean characters between spaces above which a script is taken to be written without them."""

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
CJK_CHARACTERS_PER_WORD = 1.7
"""Characters of Japanese, Chinese or Korean that carry about what one English word does (FLEURS parallel sentences)."""


@dataclass(frozen=True, slots=True)
class Decode:
    """One decoded text with its scores. `tokens` include timestamps; `seconds` is the sound it was decoded from."""

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    temperature: float
    seconds: float

    @property
    def compression_ratio(self) -> float:
        return compression_ratio(self.text)

    @property
    def repeats_itself(self) -> bool:
        """The text loops, or is longer than anybody can say in the time."""
        return self.compression_ratio > COMPRESSION_RATIO_LIMIT or has_loop(self.text) or self.is_too_fast

    @property
    def is_too_fast(self) -> bool:
        return self.seconds > 0 and count_words(self.text) / self.seconds > WORDS_PER_SECOND_LIMIT

    @property
    def is_silence(self) -> bool:
        """Nothing was said: the model says so itself, and its text is improbable or turns in circles."""
        if self.no_speech_prob > SURE_NO_SPEECH and self.avg_logprob < DOUBTFUL_LOGPROB:
            return True
        return self.no_speech_prob > NO_SPEECH_LIMIT and (self.avg_logprob < AVG_LOGPROB_LIMIT or self.repeats_itself)

    def needs_second_try(self, assume_speech: bool = False) -> bool:
        """Whether the text is in doubt and more than silence; with `assume_speech` silence is in doubt as well."""
        if self.is_silence and not assume_speech:
            return False
        return self.repeats_itself or self.avg_logprob < AVG_LOGPROB_LIMIT

    def reason_to_withhold(self, said_before: str, assume_speech: bool) -> str | None:
        """Return why the text can not be what was said after `said_before` in the same window, as a short code, or None."""
        if self.is_silence and not assume_speech:
            return NO_SPEECH
        if self.is_too_fast:
            return IMPOSSIBLE_RATE
        return REPETITION if is_hopeless(f"{said_before} {self.text}".strip()) else None


def better_of(first: Decode, second: Decode) -> Decode:
    """Return the text to trust: one that does not repeat itself, then the more probable one; the first on a draw."""
    return max((first, second), key=lambda decode: (not decode.repeats_itself, decode.avg_logprob))


def count_words(text: str) -> float:
    """Return the number of words, or of their equivalent in scripts that are written without spaces."""
    cjk = len(_CJK.findall(text))
    return cjk / CJK_CHARACTERS_PER_WORD + len(_CJK.sub(" ", text).split())


def compression_ratio(text: str) -> float:
    """Return how many times smaller zlib makes the UTF-8 bytes of `text`, as Whisper measures it; 0 for no text."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0


def is_hopeless(text: str) -> bool:
    """Whether what a window says so far is a loop for good, and to be given up rather than handed out."""
    return compression_ratio(text) > COMPRESSION_RATIO_LIMIT or has_loop(text, HOPELESS_REPEATS)


def has_loop(text: str, repeats: int = LOOP_REPEATS) -> bool:
    """Whether some phrase of up to `LOOP_LONGEST_PHRASE` words comes `repeats` times in a row."""
    words = _units(text)
    for size in range(1, LOOP_LONGEST_PHRASE + 1):
        run = 0
        for here in range(size, len(words)):
            run = run + 1 if words[here] == words[here - size] else 0
            if run >= size * (repeats - 1):
                return True
    return False


def _units(text: str) -> list[str]:
    words = [word.strip(".,!?;:…-–\"'").casefold() for word in text.split()]
    if words and len(text) / len(words) > LONGEST_WORD:
        return [character for character in text if not character.isspace()]
    return words
