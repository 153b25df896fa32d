"""The numbers that shape a recap, each with its unit and where it comes from."""

from dataclasses import dataclass, replace
from typing import Final

from domain.template import Template

LENGTHS: Final = {"short": 0.5, "normal": 1.0, "long": 2.0}
"""Of a recap in the length of the normal one, by what a template says."""
ITEM_SECTIONS: Final = frozenset({"decisions", "action_items", "open_questions"})


@dataclass(frozen=True, slots=True)
class RecapSettings:
    """Bounds of the recap.

    Finding: `margin_tokens` are read on both sides of a stretch. An item needs a line of `minimum_confidence`; lines of
    `evidence_share` of that beside it, or up to `evidence_gap` lines away, belong to it; a line that speaks to a machine with
    `minimum_order` is withheld from every model and every quote; `minimum_owner` and `minimum_due` are probabilities from which
    an owner and a due date are named; `same_matter_lines` is explained in `settled`. All chosen on the `tune` meetings
    (docs/evals.md).

    Writing: `chapters_per_root_minute` times the square root of the spoken minutes, and `first_chapters`, is the number of
    chapters: four for ten minutes, seven for half an hour, sixteen for three hours. `chapter_words`: how many words of a chapter
    the language model reads, the most telling lines first; None for all of them, which a model on a GPU reads in no time.
    `write_items`: whether the language model words the items; they are quoted otherwise, since the bundled one gives tasks to the
    wrong people. The summary has at most `summary_words`, or `summary_words_per_chapter` for each chapter where that is more.
    `minimum_support` is the share of its words below which a written sentence is replaced by what was said where nobody judges
    it; from `minimum_judged` on it is judged, and has to be carried by its lines with a probability of `minimum_entailment`:
    94 in 100 statements that are hold, and 53 in 100 that hold are (82 and 89 with 0.5).
    """

    margin_tokens: int = 200
    minimum_confidence: float = 0.2
    evidence_share: float = 0.4
    evidence_gap: int = 2
    same_matter_lines: int = 12
    minimum_order: float = 0.2
    minimum_owner: float = 0.4
    minimum_due: float = 0.6
    words_per_minute: float = 150.0
    chapters_per_root_minute: float = 1.1
    first_chapters: float = 0.8
    minimum_chapter_words: int = 60
    chapter_words: int | None = 160
    write_items: bool = False
    items_per_call: int = 4
    summary_words: int = 120
    summary_words_per_chapter: int = 15
    key_points: int = 8
    minimum_support: float = 0.7
    minimum_judged: float = 0.4
    minimum_entailment: float = 0.9
    concurrent_calls: int = 8
    embed_group_tokens: int = 2048
    embed_group_texts: int = 64


def shaped_by(template: Template, settings: RecapSettings) -> RecapSettings:
    """Return the settings for a recap of the template's length; no model words items that no section shows."""
    share = LENGTHS[template.length]
    return replace(
        settings,
        summary_words=round(settings.summary_words * share),
        summary_words_per_chapter=round(settings.summary_words_per_chapter * share),
        key_points=round(settings.key_points * share),
        write_items=settings.write_items and bool(ITEM_SECTIONS & set(template.sections)),
    )
