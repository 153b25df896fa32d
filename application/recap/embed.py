"""Vectors for the sentences of a recap: from the embedder in bounded groups, or from word counts when it fails."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from application.bounded_calls import DEGRADABLE, estimated_tokens, in_step, reason
from application.recap.settings import RecapSettings
from application.recap.vectors import Vector
from domain.call import Answer, CallContext, Provenance
from ports.embedder import Embedder, InputType, Vectors


@dataclass(slots=True)
class SentenceVectors:
    """Embeds texts for one recap, remembers why it could not, and collects the provenance of its calls.

    After the first failure every text of the recap gets a word-count vector, so that all vectors stay comparable.
    """

    embedder: Embedder
    settings: RecapSettings
    context: CallContext
    failure: str | None = None
    provenance: list[Provenance] = field(default_factory=list)

    async def of(self, texts: Sequence[str]) -> tuple[Vector, ...] | None:
        """Return one unit-length vector per text, or None when the embedder is not to be had."""
        if self.failure or not texts:
            return None if self.failure else ()
        groups = list(self._groups(texts))
        try:
            answers = await in_step([self._call(group) for group in groups], self.settings.concurrent_calls)
        except DEGRADABLE as error:
            self.failure = f"{reason(error, 'embedder')}: similarity is lexical"
            return None
        self.provenance += [answer.provenance for answer in answers]
        return tuple(vector for answer in answers for vector in answer.value)

    def _call(self, group: Sequence[str]) -> Callable[[], Awaitable[Answer[Vectors]]]:
        async def call() -> Answer[Vectors]:
            return await self.embedder.embed(group, InputType.DOCUMENT, self.context)

        return call

    def _groups(self, texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
        group: list[str] = []
        used = 0
        for text in texts:
            size = estimated_tokens(text)
            if group and (used + size > self.settings.embed_group_tokens or len(group) >= self.settings.embed_group_texts):
                yield tuple(group)
                group, used = [], 0
            group.append(text)
            used += size
        if group:
            yield tuple(group)
