"""How many calls a recap of words takes that nobody has heard yet: by the recap's own bounds."""

import math
from collections.abc import Sequence
from typing import Final

from application.dry_run import OUTPUT_SHARE, fixed_tokens
from application.pricing import Judged
from application.recap.chapters import chapter_count
from application.recap.make_recap import Prompts
from application.recap.settings import RecapSettings
from domain.call import CallKind, Usage

TOKENS_PER_WORD: Final = 1.6
"""What `estimated_tokens` gives for a word of English with the space behind it (5.7 characters)."""
NOTE_SHARE: Final = 0.6
"""Share of the words that a chapter's notes may have and have: 78 of 130 on average in 12 meetings of 320 to 1,260 words."""
TOKENS_PER_NOTE_WORD: Final = 1.4
"""Tokens for a word of the notes: 108 for those 78 words, with who said them."""
WORDS_PER_SENTENCE: Final = 12
"""Mean of the spoken sentences of the evaluation meetings, backchannels left out."""
SENTENCES_PER_CHAPTER: Final = 2
"""The most that the prompt `phrase_chapter` allows."""
TITLE_LINE_TOKENS: Final = 40
"""Tokens of one chapter in the prompt of the title: its title and its first sentence."""


def unheard_recap(words: int, prompts: Prompts, settings: RecapSettings) -> dict[CallKind, Judged]:
    """Return the calls of a recap over `words` words, those left out that are the same for every recap (the prototypes)."""
    if words == 0:
        return {}
    notes = unheard_notes(words, settings)
    chapters, title = phrasing_chapters(notes, prompts), phrasing_title(len(notes), prompts)
    return {
        CallKind.GENERATE: Judged(chapters.calls + title.calls, chapters.usage + title.usage),
        CallKind.EMBED: unheard_embedding(words, len(notes), settings),
    }


def unheard_notes(words: int, settings: RecapSettings) -> list[int]:
    """Return the tokens of the notes of each chapter: no more than its share of what was said."""
    chapters = chapter_count(words, settings)
    return [round(min(NOTE_SHARE * settings.note_words, words / chapters) * TOKENS_PER_NOTE_WORD)] * chapters


def phrasing_chapters(notes: Sequence[int], prompts: Prompts) -> Judged:
    """Return the calls that phrase chapters with so many tokens of notes each.

    What a prompt's calls have in common is read by the first of them: engines keep the tokens that calls begin with.
    """
    prompt, chapters = prompts.load("phrase_chapter"), len(notes)
    kept = max(0, chapters - 1) * fixed_tokens(prompt.messages[:-1])
    read = chapters * fixed_tokens(prompt.messages) + sum(notes)
    written = chapters * round(prompt.sampling.max_tokens * OUTPUT_SHARE)
    return Judged(chapters, Usage(input_tokens=read, output_tokens=written, cached_input_tokens=kept))


def phrasing_title(chapters: int, prompts: Prompts) -> Judged:
    """Return the call that names the conversation; a single chapter does so itself."""
    if chapters <= 1:
        return Judged(0, Usage())
    prompt = prompts.load("title_recap")
    read = fixed_tokens(prompt.messages) + chapters * TITLE_LINE_TOKENS
    return Judged(1, Usage(input_tokens=read, output_tokens=round(prompt.sampling.max_tokens * OUTPUT_SHARE)))


def unheard_embedding(words: int, chapters: int, settings: RecapSettings) -> Judged:
    """Return the calls that place the sentences in groups, and one further group of what was phrased."""
    sentences = math.ceil(words / WORDS_PER_SENTENCE)
    tokens = round(words * TOKENS_PER_WORD) + 2 * sentences
    groups = max(math.ceil(sentences / settings.embed_group_texts), math.ceil(tokens / settings.embed_group_tokens))
    phrased = chapters * SENTENCES_PER_CHAPTER * round(WORDS_PER_SENTENCE * TOKENS_PER_WORD)
    return Judged(groups + 1, Usage(input_tokens=tokens + phrased))
