"""Recordings through the production path (decoder, voice activity detection, windows, guard, gates, merge), engine in process."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from adapters.in_process import Engine
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from adapters.silero_vad import SileroVad
from application.transcribe_audio import TranscribeAudio, TranscriptionSettings
from domain.call import CallContext, ModelIdentity
from domain.transcript import Transcript
from evals.suite import Report
from ports.transcriber import TranscriptionOptions
from serve_app.composition.in_process import in_process_transcriber
from serve_app.engines.descriptors import transcriber_scores
from serve_app.engines.replicas import build_transcriber
from serve_app.engines.served_models import local_identity, model_store
from serve_app.settings.models import TranscriberSettings

LONGEST_S: Final = 4 * 3600.0
FILES_AT_ONCE: Final = 4
"""Recordings under way together, so that batches fill; their texts do not depend on it."""
HEARD: Final[dict[tuple[str, ...], Transcript]] = {}
"""What the service's own engine made of a recording in this process: two suites over the same one pay for it once."""


@dataclass(frozen=True, slots=True)
class Listener:
    """How recordings are heard; what differs from the service's defaults is said here."""

    settings: TranscriberSettings = field(default_factory=TranscriberSettings)
    options: TranscriptionOptions = field(default_factory=TranscriptionOptions)
    path: TranscriptionSettings = field(default_factory=TranscriptionSettings)
    build: Callable[[TranscriberSettings, ModelIdentity], Engine] = build_transcriber
    files_at_once: int = FILES_AT_ONCE

    def __call__(self, recordings: Sequence[tuple[Path, str | None]], report: Report) -> list[Transcript]:
        """Return the transcripts of `recordings`, each with its language (None to detect it), in order."""
        return asyncio.run(self._all(recordings, report))

    def once(self, recordings: Sequence[tuple[Path, str | None]], report: Report) -> list[Transcript]:
        """Return the transcripts as when called; what this process has heard in the same way before is not heard again."""
        if self.build is not build_transcriber:
            return self(recordings, report)
        keys = [(str(path), str(path.stat().st_mtime_ns), str(language), *self._way()) for path, language in recordings]
        new = [recording for key, recording in zip(keys, recordings, strict=True) if key not in HEARD]
        fresh = dict(zip((key for key in keys if key not in HEARD), self(new, report) if new else (), strict=True))
        HEARD.update(fresh)
        return [HEARD[key] for key in keys]

    def _way(self) -> tuple[str, ...]:
        return repr(self.settings), repr(self.options), repr(self.path)

    async def _all(self, recordings: Sequence[tuple[Path, str | None]], report: Report) -> list[Transcript]:
        transcribe = self.transcribing()
        slots = asyncio.Semaphore(self.files_at_once)
        done = 0
        with tempfile.TemporaryDirectory() as folder:

            async def one(index: int, recording: Path, language: str | None) -> Transcript:
                nonlocal done
                async with slots:
                    audio = await PyAvDecoder(DecodeLimits()).decode(recording, Path(folder) / f"{index}.pcm", LONGEST_S)
                    options = replace(self.options, language=language)
                    transcript = await transcribe(recording.name, audio, options, CallContext(), _nobody)
                done += 1
                report(recording.name, done, len(recordings))
                return transcript

            return await _together([one(index, *recording) for index, recording in enumerate(recordings)])

    def transcribing(self) -> TranscribeAudio:
        """The use case over the engine in this process, behind the production guard."""
        return TranscribeAudio(self._transcriber(), SileroVad(), self.path)

    def _transcriber(self) -> Any:
        identity = local_identity(model_store().ensure(self.settings.model), "faster-whisper", self.settings.compute_type)
        scores = transcriber_scores(self.settings, model_store())
        return in_process_transcriber(self.build(self.settings, identity), identity, self.settings.max_batch_size, scores)


async def _together(works: Sequence[Coroutine[Any, Any, Transcript]]) -> list[Transcript]:
    """Await all; the first error ends the others, and is raised when they have ended.

    They end before the loop does: cancelling everything at once, as `asyncio.run` does in the end, leaves a child process that
    is being started without its pipes, and asyncio then waits for it for ever.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _nobody(*_progress: Any) -> None:
    """Nobody watches."""


def evaluation_data() -> Path:
    """Return the folder of the evaluation data, WORDLOOP_EVAL_DATA. Raises FileNotFoundError when it is not there."""
    folder = Path(os.environ.get("WORDLOOP_EVAL_DATA", "../shared/data"))
    if not folder.is_dir():
        raise FileNotFoundError(f"no evaluation data at {folder}; WORDLOOP_EVAL_DATA names its folder")
    return folder


def files(folder: Path, suffixes: Iterable[str] = (".flac", ".ogg", ".opus", ".wav")) -> list[Path]:
    """Return the recordings of a folder by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in set(suffixes))
