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
    chapters = chapter_count(words, settings)
    return {
        CallKind.GENERATE: _phrasing(chapters, prompts, settings),
        CallKind.EMBED: _embedding(words, chapters, settings),
    }


def _phrasing(chapters: int, prompts: Prompts, settings: RecapSettings) -> Judged:
    return phrasing([round(settings.note_words * TOKENS_PER_WORD)] * chapters, prompts)


def phrasing(notes: Sequence[int], prompts: Prompts) -> Judged:
    """Return the calls that phrase chapters with so many tokens of notes each, and the title where there are several.

    What a prompt's calls have in common is read by the first of them: engines keep the tokens that calls begin with.
    """
    chapter, title, chapters = prompts.load("phrase_chapter"), prompts.load("title_recap"), len(notes)
    kept = max(0, chapters - 1) * fixed_tokens(chapter.messages[:-1])
    read = chapters * fixed_tokens(chapter.messages) + sum(notes)
    written = chapters * round(chapter.sampling.max_tokens * OUTPUT_SHARE)
    if chapters == 1:  # A single chapter names the conversation.
        return Judged(1, Usage(input_tokens=read, output_tokens=written))
    read += fixed_tokens(title.messages) + chapters * TITLE_LINE_TOKENS
    written += round(title.sampling.max_tokens * OUTPUT_SHARE)
    return Judged(chapters + 1, Usage(input_tokens=read, output_tokens=written, cached_input_tokens=kept))


def _embedding(words: int, chapters: int, settings: RecapSettings) -> Judged:
    """The sentences in groups, and one further group of what was phrased."""
    sentences = math.ceil(words / WORDS_PER_SENTENCE)
    tokens = round(words * TOKENS_PER_WORD) + 2 * sentences
    groups = max(math.ceil(sentences / settings.embed_group_texts), math.ceil(tokens / settings.embed_group_tokens))
    phrased = chapters * SENTENCES_PER_CHAPTER * round(WORDS_PER_SENTENCE * TOKENS_PER_WORD)
    return Judged(groups + 1, Usage(input_tokens=tokens + phrased))
