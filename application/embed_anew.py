"""Embed again what another model embedded, then answer searches from the new vectors."""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from application.text_groups import text_groups
from domain.call import CallContext
from domain.errors import BudgetExceeded, DeadlineExceeded, ModelError, ModelRejected, RateLimited, StorageFailed
from domain.search import SpaceStanding, UnplacedSource
from ports.clock import Clock
from ports.embedder import Embedder, InputType, LongTexts
from ports.job_metrics import JobMetrics
from ports.vector_spaces import VectorSpaces

log = logging.getLogger("wordloop.maintenance")

TELL_EVERY_S = 5.0
"""Seconds between two times that the progress is told. Ray drops a gauge that is not set within 20 s."""
LOOK_EVERY_S = 60.0
"""Seconds after which a worker with nothing to embed looks again."""
PASSAGES_AT_A_TIME = 512
"""Passages that are embedded, then kept in one step: what an end in the middle costs at most, less what the cache holds."""
SOURCES_PER_ROUND = 16
CALL_S = 120.0
"""Seconds that one call may take, its wait for jobs included."""
MOST_SALT = 1000
CATCH_UP_S = 3600.0
"""Seconds from its start for which a worker looks after what processes of an older version index beside it."""


@dataclass
class EmbedAnew:
    """Every worker does it beside its jobs, one call at a time, on behalf of each passage's tenant and within its budget.

    So jobs keep most of the embedder, and calls that two workers make at once are made once. Passages that were indexed while no
    embedder answered get their vectors in this way too.
    """

    spaces: VectorSpaces
    embedder: Embedder
    clock: Clock
    metrics: JobMetrics | None = None
    look_every_s: float = LOOK_EVERY_S
    salt: Callable[[], int] = lambda: random.randint(1, MOST_SALT)  # noqa: S311  # so that workers begin at different sources
    _standing: SpaceStanding = field(default_factory=lambda: SpaceStanding(0, 0))
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock.monotonic()

    async def __call__(self) -> None:
        """Run until cancelled. A store that does not answer is asked again."""
        since = self.look_every_s
        while True:
            if since >= self.look_every_s:
                since = 0.0
                try:
                    if await self.round():
                        since = self.look_every_s
                except StorageFailed as error:
                    log.warning("vectors could not be moved", extra={"detail": error.detail})
            if self.metrics is not None:
                self.metrics.to_embed(self._standing)
            await self.clock.sleep(TELL_EVERY_S if since < self.look_every_s else 0.0)
            since += TELL_EVERY_S

    async def round(self) -> int:
        """Embed passages of some sources, and go over to their space where it is complete; return how many were embedded."""
        if self.clock.monotonic() - self._begun < CATCH_UP_S:
            await self.spaces.catch_up()
        model, done, left_out = self.embedder.identity, 0, set[str]()
        salt = self.salt()
        for _ in range(SOURCES_PER_ROUND):
            source = await self.spaces.unplaced(model, PASSAGES_AT_A_TIME, salt, left_out)
            if source is None:
                break
            try:
                done += await self._embed(source)
            except BudgetExceeded:
                left_out.add(source.tenant)  # until the budget has room again
            except (ModelError, RateLimited, DeadlineExceeded) as error:
                log.info("embedding anew waits for the embedder", extra={"kind": type(error).__name__})
                break
        for tenant in await self.spaces.answer_from(model):
            log.info("searches are answered from another model's vectors", extra={"tenant": tenant, "model": model.id})
        while await self.spaces.drop_others(model, SOURCES_PER_ROUND):
            await self.clock.sleep(0)
        self._standing = await self.spaces.standing(model)
        return done

    async def _embed(self, source: UnplacedSource) -> int:
        context = CallContext(source.tenant, conversation_id=source.conversation_id)
        ids, vectors = list(source.texts), list[Sequence[float]]()
        for group in text_groups(list(source.texts.values())):
            vectors += await self._vectors(group, context)
        await self.spaces.put(source, self.embedder.identity, dict(zip(ids, vectors, strict=True)))
        return len(ids)

    async def _vectors(self, group: Sequence[str], context: CallContext) -> Sequence[Sequence[float]]:
        """Return a vector per text, () for each that the model refuses."""
        bounded = replace(context, deadline=self.clock.now() + CALL_S)
        try:
            return (await self.embedder.embed(group, InputType.DOCUMENT, bounded, LongTexts.POOL)).value
        except ModelRejected:
            if len(group) == 1:
                return [()]
        return [(await self._vectors([text], context))[0] for text in group]
