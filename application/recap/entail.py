"""Whether the lines that written sentences cite carry them, judged by a model that learnt it. A recap can live without."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from application.bounded_calls import DEGRADABLE, in_step, reason
from application.recap.check import Checked
from application.recap.settings import RecapSettings
from application.recap.text import content
from domain.call import CallContext, Provenance
from domain.entailment import Claim
from domain.finding import Line
from ports.entailment_judge import EntailmentJudge

MOST_LINES: Final = 6
"""Of a premise, in the statements that the judge learns from too; a sentence of the summary may rest on a whole chapter."""


@dataclass(slots=True)
class Entailed:
    """The judgements of one recap. Without a judge, or when it fails (`failure`), sentences stand by their words alone."""

    judge: EntailmentJudge | None
    settings: RecapSettings
    context: CallContext
    provenance: list[Provenance] = field(default_factory=list)
    failure: str | None = None

    async def of(self, groups: Sequence[Sequence[Checked]]) -> list[list[Checked]]:
        """Return of each group what its lines carry, with the probability of that as its support; one call a group."""
        return await in_step([self._call(group) for group in groups], self.settings.concurrent_calls)

    def _call(self, group: Sequence[Checked]) -> Callable[[], Awaitable[list[Checked]]]:
        async def judged() -> list[Checked]:
            if self.judge is None or not group:
                return self._by_words(group)
            claims = [Claim(_premise(each), each.text) for each in group]
            try:
                answer = await self.judge.judge(claims, self.context)
            except DEGRADABLE as error:
                self.failure = f"{reason(error, 'entailment')}: sentences are checked by their words alone"
                return self._by_words(group)
            self.provenance.append(answer.provenance)
            found = (replace(each, support=held) for each, held in zip(group, answer.value, strict=True))
            return [each for each in found if each.support >= self.settings.minimum_entailment]

        return judged

    def _by_words(self, group: Sequence[Checked]) -> list[Checked]:
        return [each for each in group if each.support >= self.settings.minimum_support]


def _premise(each: Checked) -> tuple[Line, ...]:
    """The lines that have most words in common with the sentence, in their order."""
    claims = content(each.text)
    nearest = sorted(each.lines, key=lambda line: (-len(claims & content(line.text)), line.index))[:MOST_LINES]
    return tuple(line.read for line in sorted(nearest, key=lambda line: line.index))
