"""How many calls a recap of words takes that nobody has heard yet: by the recap's own bounds."""

import math
from typing import Final

from application.dry_run import OUTPUT_SHARE, WORDS_PER_ITEM, fixed_tokens
from application.pricing import Judged
from application.prompt_files import Prompts
from application.recap.chapters import chapter_count
from application.recap.settings import RecapSettings
from domain.call import CallKind, Usage

TOKENS_PER_WORD: Final = 1.6
"""What `estimated_tokens` gives for a word of English with the space behind it (5.7 characters)."""
TOKENS_PER_SPOKEN_WORD: Final = 1.8
"""What `estimated_tokens` gives for a word of a line with its speaker: 1.78 in real meetings, up to 2.16 (German) in others."""
TOKENS_PER_READ_WORD: Final = 1.5
"""Tokens for a word of a chapter's lines, with who said them and their numbers."""
WORDS_PER_SENTENCE: Final = 12
"""Mean of the spoken lines of the evaluation meetings."""
TOKENS_PER_ITEM: Final = 110
"""Of an item with the lines around it, as the model reads it."""
SENTENCES_PER_CHAPTER: Final = 2
CLAIM_TOKENS: Final = 90
"""Of a sentence and the lines that it cites, as the judge reads them."""
NOTE_TOKENS: Final = 14
"""Tokens of one sentence among the notes of the summary."""


def estimated_recap(words: int, prompts: Prompts, settings: RecapSettings, stretch_tokens: int) -> dict[CallKind, Judged]:
    """Return the calls of a recap over `words` words."""
    if words == 0:
        return {}
    chapters, summary = writing_chapters(words, prompts, settings), writing_summary(words, prompts, settings)
    return {
        CallKind.GENERATE: Judged(chapters.calls + summary.calls, chapters.usage + summary.usage),
        CallKind.EMBED: estimated_embedding(words, settings),
        CallKind.FIND: estimated_finding(words, settings, stretch_tokens),
        CallKind.ENTAIL: unwritten_checking(words, settings),
    }


def writing_chapters(words: int, prompts: Prompts, settings: RecapSettings) -> Judged:
    """Return the calls that write chapters and items.

    What a prompt's calls have in common is read by the first of them: engines keep the tokens that calls begin with.
    """
    chapters = chapter_count(words, settings)
    read = min(settings.chapter_words or words, words // chapters)
    found = _calls("write_chapter", chapters, round(chapters * read * TOKENS_PER_READ_WORD), prompts)
    items = words // WORDS_PER_ITEM if settings.write_items else 0
    if not items:
        return found
    worded = _calls("write_items", math.ceil(items / settings.items_per_call), items * TOKENS_PER_ITEM, prompts)
    return Judged(found.calls + worded.calls, found.usage + worded.usage)


def writing_summary(words: int, prompts: Prompts, settings: RecapSettings) -> Judged:
    """Return the call that sums the conversation up; a single chapter is its own summary."""
    chapters = chapter_count(words, settings)
    if chapters <= 1:
        return Judged(0, Usage())
    notes = chapters * SENTENCES_PER_CHAPTER + words // WORDS_PER_ITEM // 8  # most items are told by chapters
    return _calls("write_summary", 1, notes * NOTE_TOKENS, prompts)


def _calls(name: str, calls: int, read: int, prompts: Prompts) -> Judged:
    prompt = prompts.load(name)
    kept = max(0, calls - 1) * fixed_tokens(prompt.messages[:-1])
    written = calls * round(prompt.sampling.max_tokens * OUTPUT_SHARE)
    usage = Usage(input_tokens=calls * fixed_tokens(prompt.messages) + read, output_tokens=written, cached_input_tokens=kept)
    return Judged(calls, usage)


def estimated_embedding(words: int, settings: RecapSettings) -> Judged:
    """Return the calls that place the lines in groups."""
    sentences = math.ceil(words / WORDS_PER_SENTENCE)
    tokens = round(words * TOKENS_PER_WORD) + 2 * sentences
    groups = max(math.ceil(sentences / settings.embed_group_texts), math.ceil(tokens / settings.embed_group_tokens))
    return Judged(groups, Usage(input_tokens=tokens))


def estimated_finding(words: int, settings: RecapSettings, stretch_tokens: int) -> Judged:
    """Return the calls that read the lines in stretches, with a margin wherever two of them meet."""
    tokens = math.ceil(words * TOKENS_PER_SPOKEN_WORD)
    stretches = math.ceil(tokens / stretch_tokens)
    return Judged(stretches, Usage(input_tokens=tokens + 2 * settings.margin_tokens * max(0, stretches - 1)))


def unwritten_checking(words: int, settings: RecapSettings) -> Judged:
    """Return the calls that judge the sentences of chapters and summary, one call for each."""
    chapters = chapter_count(words, settings)
    calls = chapters + (chapters > 1)
    return Judged(calls, Usage(input_tokens=calls * SENTENCES_PER_CHAPTER * CLAIM_TOKENS))
