"""The numbers that shape a recap, each with its unit and where it comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecapSettings:
    """Bounds of the recap. The defaults keep a ten-minute meeting to about five short calls.

    `chapters_per_root_minute` times the square root of the spoken minutes, and `first_chapters`, is the number of
    chapters: three for four minutes, four for ten, seven for half an hour, sixteen for three hours. `note_words` is
    what the model reads of one chapter. The summary has at most `summary_words` (the references of QMSum have 105 on
    average), or `summary_words_per_chapter` for each chapter where that is more. `minimum_support` is the support below
    which a phrased sentence is replaced by what was said.
    """

    words_per_minute: float = 150.0
    chapters_per_root_minute: float = 1.1
    first_chapters: float = 0.8
    minimum_chapter_words: int = 60
    note_words: int = 130
    notes_per_chapter: int = 6
    summary_words: int = 120
    summary_words_per_chapter: int = 15
    key_points: int = 8
    decisions: int = 24
    action_items: int = 24
    open_questions: int = 12
    minimum_support: float = 0.55
    concurrent_calls: int = 8
    embed_group_tokens: int = 2048
    embed_group_texts: int = 64
