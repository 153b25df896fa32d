"""A process of its own with a guard over a shared SQLite store: `python -m tests.guard_process FOLDER NAME SECONDS CALLS`.

Makes CALLS calls, number 0 to CALLS - 1, all at once. Each attempt that reaches the model appends `NAME NUMBER` to the log
`made` in FOLDER before it takes SECONDS.
"""

import asyncio
import sys
from pathlib import Path

from adapters.guard import GuardSettings
from adapters.scripted import SCRIPTED_MODEL
from adapters.sql import SqlStore
from domain.call import CallContext, ModelIdentity
from ports.embedder import InputType
from ports.model_backend import CallMeta, EmbedRequest, ModelBackend, RawOutput
from serve_app.composition.clock import SystemClock
from tests.guarded import Bench, vectors

CLAIM_S = 1.0


class LoggedModel(ModelBackend):
    name = "logged"
    identity: ModelIdentity = SCRIPTED_MODEL

    def __init__(self, log: Path, owner: str, seconds: float) -> None:
        self.log, self.owner, self.seconds = log, owner, seconds

    async def call(self, request: EmbedRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        with self.log.open("a") as log:
            log.write(f"{self.owner} {request.texts[0]}\n")
        await asyncio.sleep(self.seconds)
        return vectors([0.6, 0.8])


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'calls.db'}"


async def main(folder: Path, owner: str, seconds: float, calls: int) -> None:
    """Make all calls at once and print how many were read."""
    clock = SystemClock()
    store = SqlStore.open(url_of(folder), clock)
    settings = GuardSettings(cache={"claim_s": CLAIM_S})
    bench = Bench(clock, settings, cache=store.calls, ledger=store.ledger, owner=owner)
    embedder = bench.embedder(LoggedModel(folder / "made", owner, seconds))
    answers = await asyncio.gather(*(embedder.embed([str(n)], InputType.QUERY, CallContext()) for n in range(calls)))
    print(sum(answer.provenance.cache_hit for answer in answers))
    store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
