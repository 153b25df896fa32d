"""A transcriber port over an engine in this process, batching windows as a replica does."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from adapters.guard.transcript_rules import TranscriptRules
from domain.audio import SpeechWindow
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance
from domain.transcript import RecognisedWindow
from ports.model_backend import RawOutput, TranscribeRequest
from ports.transcriber import Transcriber, TranscriptionOptions


class WindowEngine(Protocol):
    """What `FasterWhisperEngine` is to this module."""

    @property
    def identity(self) -> ModelIdentity: ...

    def recognise(self, batch: Sequence[TranscribeRequest]) -> list[RawOutput]: ...


class BatchingTranscriber(Transcriber):
    """Takes up to `batch` waiting windows into every pass; each answer goes through the guard's rules of validity."""

    def __init__(self, engine: WindowEngine, batch: int) -> None:
        self._engine = engine
        self._batch = batch
        self._waiting: asyncio.Queue[tuple[TranscribeRequest, asyncio.Future[RawOutput]]] = asyncio.Queue()

    async def __aenter__(self) -> "BatchingTranscriber":
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)

    @property
    def identity(self) -> ModelIdentity:
        return self._engine.identity

    async def transcribe(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Answer[RecognisedWindow]:
        parameters = options.parameters()
        answer: asyncio.Future[RawOutput] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((TranscribeRequest(window.pcm, parameters), answer))
        value = TranscriptRules(window.seconds).check(await answer)
        spec = CallSpec(CallKind.TRANSCRIBE, window.sha256, self.identity, parameters)
        return Answer(value, Provenance.of(spec))

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._batch and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                outputs = await asyncio.to_thread(self._engine.recognise, [request for request, _ in batch])
            except Exception as error:
                for _, answer in batch:
                    answer.set_exception(error)
                continue
            for (_, answer), output in zip(batch, outputs, strict=True):
                if not answer.done():
                    answer.set_result(output)
