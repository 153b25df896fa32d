"""Bounded phrasing: one small model call per chapter, and one for the title."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from application.recap.echoes import echoes_example
from application.recap.embed import DEGRADABLE, estimated_tokens, in_step, reason
from application.recap.injection import addresses_the_model, has_link
from application.recap.lexicon import LANGUAGE_NAMES, word_set
from application.recap.sentences import SENTENCE_END, Sentence
from application.recap.settings import RecapSettings
from application.recap.text import stem, tokens
from domain.call import CallContext, Provenance
from domain.canonical import Json
from domain.errors import InvalidRequest
from ports.language_model import LanguageModel, RenderedPrompt, Sampling

MARKUP: Final = re.compile(r"<[/!\w]|\]\(|&\w+;|\{\{|\"\s*:|[\]}]\s*,|[{\[]\s*\"")
"""Minutes hold none, so whoever wrote it did not write minutes."""
CONTEXT_MARGIN: Final = 64
"""Tokens kept free for the chat template and for the error of our token estimate."""
CLAUSE_END: Final = re.compile(r",? (?:and|but|which|while|with|including|so|as well as|because) |; |: |, ")
SHORTEST_WORDS: Final = 7
"""A sentence cut back to its first part keeps at least this many words."""
LONGEST_TOKEN: Final = 12
"""So many characters before the schema's limit a title may be torn: the engine ends it where no token fits any more."""
DANGLING: Final = word_set("and or of the a an to for with in on at by about but und oder et ou y e de")
LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


class PromptLike(Protocol):
    """A prompt file, as the recap sees it (`prompts.Prompt`)."""

    @property
    def messages(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def sampling(self) -> Sampling: ...
    def render(self, **values: str) -> RenderedPrompt: ...


@dataclass(frozen=True, slots=True)
class Phrased:
    """What the model made of one chapter; `failure` is the code of why it made nothing."""

    title: str = ""
    sentences: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    failure: str | None = None


def language_name(tag: str) -> str:
    """Return the English name of a language tag, the tag itself when unknown. Raises InvalidRequest for anything else."""
    if not LANGUAGE_TAG.fullmatch(tag):
        raise InvalidRequest("language is not a language tag such as en or pt-BR")
    return LANGUAGE_NAMES.get(re.split("[-_]", tag.lower())[0], tag)


def note_line(sentence: Sentence) -> str:
    """One note as the model sees it: who spoke and the cleaned words, on one line, without markup of its own."""
    speaker = re.sub(r"[^\w .'’-]+", " ", sentence.speaker or "").strip()[:40]
    return f"- {speaker}: {sentence.clean}" if speaker else f"- {sentence.clean}"


def fitting(lines: Sequence[str], prompt: PromptLike, context_tokens: int) -> list[str]:
    """Keep the first lines that fit the model's context together with the fixed words and the answer."""
    fixed = sum(estimated_tokens(words) for _, words in prompt.messages)
    room = context_tokens - prompt.sampling.max_tokens - CONTEXT_MARGIN - fixed
    kept: list[str] = []
    for line in lines:
        room -= estimated_tokens(line)
        if room < 0:
            break
        kept.append(line)
    return kept


@dataclass(frozen=True, slots=True)
class Phrasing:
    """The language model with the prompt, language and focus of one recap."""

    language_model: LanguageModel
    chapter_prompt: PromptLike
    title_prompt: PromptLike
    language: str
    template: str
    settings: RecapSettings
    context: CallContext

    async def chapters(self, chapters: Sequence[Sequence[Sentence]], done: Callable[[], Awaitable[None]]) -> list[Phrased]:
        """Phrase all chapters at once, so that the engine batches them. Notes come best first."""

        def call(notes: Sequence[Sentence]) -> Callable[[], Awaitable[Phrased]]:
            async def phrase() -> Phrased:
                phrased = await self._chapter(notes)
                await done()
                return phrased

            return phrase

        return await in_step([call(notes) for notes in chapters], self.settings.concurrent_calls)

    async def _chapter(self, notes: Sequence[Sentence]) -> Phrased:
        kept = fitting([note_line(note) for note in notes], self.chapter_prompt, self.language_model.context_tokens)
        if not kept:
            return Phrased(failure="context_too_small" if notes else None)
        places = {line: note.index for line, note in zip(kept, notes, strict=False)}
        ordered = "\n".join(sorted(kept, key=lambda line: places[line]))
        prompt = self.chapter_prompt.render(notes=ordered, language=self.language, focus=self.template)
        return _without_echoes(await self._generate(prompt, ordered), self.chapter_prompt, ordered)

    async def title(self, lines: Sequence[str]) -> Phrased:
        """Name the whole conversation from statements that are already grounded."""
        kept = fitting([f"- {line}" for line in lines], self.title_prompt, self.language_model.context_tokens)
        if not kept:
            return Phrased()
        notes = "\n".join(kept)
        phrased = await self._generate(self.title_prompt.render(notes=notes, language=self.language), notes)
        return _without_echoes(phrased, self.title_prompt, notes)

    async def _generate(self, prompt: RenderedPrompt, notes: str) -> Phrased:
        try:
            answer = await self.language_model.generate(prompt, self.context)
        except asyncio.CancelledError:
            raise
        except DEGRADABLE as error:
            return Phrased(failure=reason(error, "language_model"))
        title, sentences = answer.value.get("title"), answer.value.get("sentences")
        texts = [plain(text) for text in sentences if isinstance(text, str)] if isinstance(sentences, list | tuple) else []
        single = tuple(dict.fromkeys(part for text in texts for part in whole_sentences(text)))
        named = tidy_title(title, title_limit(prompt.schema), notes) if isinstance(title, str) else ""
        return Phrased(named, single, (answer.provenance,))


def _without_echoes(phrased: Phrased, prompt: PromptLike, notes: str) -> Phrased:
    """Leave out what was copied from the prompt's example."""
    example = [words for role, words in prompt.messages[:-1] if role != "system"]
    kept = tuple(text for text in phrased.sentences if not echoes_example(text, example, notes))
    title = "" if echoes_example(phrased.title, example, notes) else phrased.title
    return replace(phrased, sentences=kept, title=title)


def plain(text: str) -> str:
    """Return model output as one line of plain words without control characters and invisible marks; "" for markup."""
    if MARKUP.search(text):
        return ""
    text = re.sub(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff`*_#|]+", " ", text)
    return re.sub(r"\s+", " ", text).strip(" -\"'")


def title_limit(schema: Mapping[str, Json] | None) -> int | None:
    """Return after how many characters a schema ends a title; None when it never does."""
    field: Json | Mapping[str, Json] = schema or {}
    for key in ("properties", "title", "maxLength"):
        field = field.get(key) if isinstance(field, Mapping) else None
    return field if isinstance(field, int) else None


def tidy_title(text: str, limit: int | None = None, notes: str = "") -> str:
    """Return a title without who talked about it, and without the torn end that a `limit` of characters leaves.

    At the limit the last word is not trusted; shortly before it, one that the notes do not have is not.
    """
    title = re.sub(r"^(?:the )?(?:group|team|meeting|they|participants)\s+discuss\w*\s+", "", plain(text), flags=re.IGNORECASE)
    if limit is not None and " " in title and (len(text) >= limit or _ends_unsaid(title, len(text), limit, notes)):
        title = title.rpartition(" ")[0]
    while (last := title.rpartition(" ")[2].strip(",;:.").lower()) in DANGLING or title[-1:] in ",;:.":
        title = title.rstrip(",;:.") if title[-1:] in ",;:." else title[: -len(last)].rstrip()
        if not title:
            break
    return title[:1].upper() + title[1:]


def _ends_unsaid(title: str, length: int, limit: int, notes: str) -> bool:
    if length < limit - LONGEST_TOKEN:
        return False
    said = tokens(notes)
    last = tokens(title.rpartition(" ")[2])
    return not set(last) <= {*said} and not {stem(word) for word in last} <= {stem(word) for word in said}


def whole_sentences(text: str) -> list[str]:
    """Cut one string of the model into sentences; one that was cut off goes back to its last clause, or is left out."""
    found: list[str] = []
    for part in SENTENCE_END.split(text):
        sentence = part.strip()
        if sentence and sentence[-1] not in ".!?。！？…":
            end = max((match.start() for match in CLAUSE_END.finditer(sentence)), default=0)
            sentence = sentence[:end].rstrip(" ,;:") + "." if len(sentence[:end].split()) >= SHORTEST_WORDS else ""
        if sentence and not sentence[0].islower() and sentence[0].isalnum():
            found.append(sentence)
    return found


def is_sound(text: str) -> bool:
    """False for what is cut off, empty, or talks to a model or links somewhere."""
    return text[-1:] in ".!?。！？…" and not addresses_the_model(text) and not has_link(text)
