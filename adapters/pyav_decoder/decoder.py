"""The adapter: starts one confined child per file, watches it, and believes only what it can check."""

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import stat
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adapters.pyav_decoder.command import CHILD, ENVIRONMENT, DecoderBroken, command, import_paths
from adapters.pyav_decoder.limits import BYTES_PER_SECOND, MOST_LEVELS, SPEECH_BYTES_PER_SECOND, DecodeLimits, level_frames
from adapters.pyav_decoder.refusals import REASONS, Kind, Refused, sentence_of
from domain.audio import DecodedAudio
from domain.errors import InvalidAudio, StorageFailed, TooLarge, UnsupportedAudio, WordloopError
from ports.audio_decoder import AudioDecoder

logger = logging.getLogger(__name__)

REPORT_BYTES = 4096
"""Ten times the longest honest report."""
FORMAT_NAME = re.compile(r"[a-z0-9_,.]{1,64}")
ERRORS: dict[Kind, type[WordloopError]] = {
    Kind.INVALID: InvalidAudio,
    Kind.UNSUPPORTED: UnsupportedAudio,
    Kind.TOO_LARGE: TooLarge,
    Kind.STORAGE: StorageFailed,
}
SIGNALS = {signal.SIGXCPU: "cpu"}
"""Refusals that the kernel speaks for us; every other signal is a crash."""


@dataclass(frozen=True, slots=True)
class _Files:
    source: int
    target: int
    levels: int
    partial: Path


class PyAvDecoder(AudioDecoder):
    """Decodes with PyAV in a short-lived child process per file, at most `limits.processes` at once.

    `require_confinement`: a child that finds a way out of its walls decodes nothing, and `decode` raises DecoderBroken.
    Cancelling `decode` kills the child. Times, sizes and their sources: `DecodeLimits` and docs/adr/0004.
    """

    def __init__(self, limits: DecodeLimits, child: Path = CHILD, *, require_confinement: bool = False) -> None:
        self._limits = limits
        self._child_script = child
        self._require_confinement = require_confinement
        self._slots = asyncio.Semaphore(limits.processes)
        self._import_paths = import_paths()

    async def decode(self, source: Path, target: Path, max_seconds: float, channel: int | None = None) -> DecodedAudio:
        """Decode the first audio stream of `source`, or one channel of it, to s16le mono 16 kHz at `target`, which appears only
        when complete.

        Raises InvalidAudio, UnsupportedAudio, TooLarge, and StorageFailed when the files can not be read or written.
        """
        async with self._slots:
            try:
                with _opened(source, target) as files:
                    report = await self._report(files, max_seconds, channel)
                    size = os.fstat(files.target).st_size
                    decoded = _checked(report, str(target), size, self._limits.output_bytes(max_seconds))
                    decoded = replace(decoded, levels=_levels(files.levels, report.get("level_channels"), size))
                    os.replace(files.partial, target)
                    return decoded
            except Refused as refusal:
                kind = REASONS[refusal.code].kind
                raise ERRORS[kind](sentence_of(refusal.code, refusal.number)) from None
            except OSError as error:
                raise StorageFailed("The recording could not be read, or its sound not be written.") from error

    async def _report(self, files: _Files, max_seconds: float, channel: int | None) -> dict[str, Any]:
        async with self._child(files, max_seconds, channel) as process:
            line, status = await self._in_time(_told(process), files, max_seconds)
        if status < 0:
            logger.warning("audio decoder child ended by signal %d", -status)
            raise Refused(SIGNALS.get(signal.Signals(-status), "crash"))
        try:
            report = json.loads(line)
        except ValueError:
            report = None
        if not isinstance(report, dict):
            logger.warning("audio decoder child ended with status %d and no report", status)
            raise Refused("crash")
        return report

    async def _in_time(
        self, told: Coroutine[Any, Any, tuple[bytes, int]], files: _Files, max_seconds: float
    ) -> tuple[bytes, int]:
        """What the child told, if it does so within the time that the sound which has come out so far explains."""
        most = min(max_seconds, os.fstat(files.source).st_size / SPEECH_BYTES_PER_SECOND)
        begun, telling = time.monotonic(), asyncio.ensure_future(told)
        try:
            while True:
                sound = min(most, os.fstat(files.target).st_size / BYTES_PER_SECOND)
                left = begun + self._limits.wall_seconds(sound) - time.monotonic()
                if left <= 0:
                    raise Refused("wall")
                if (await asyncio.wait([telling], timeout=left))[0]:
                    return telling.result()
        finally:
            telling.cancel()
            await asyncio.wait([telling])

    @contextlib.asynccontextmanager
    async def _child(self, files: _Files, max_seconds: float, channel: int | None) -> AsyncIterator[Process]:
        request = {
            "import_paths": self._import_paths,
            "parent": os.getpid(),
            "limits": asdict(self._limits),
            "max_seconds": max_seconds,
            "channel": channel,
            "source": files.source,
            "target": files.target,
            "levels": files.levels,
            "require_confinement": self._require_confinement,
        }
        with tempfile.TemporaryDirectory(prefix="wordloop-decode-") as empty:
            process = await asyncio.create_subprocess_exec(
                *command(self._child_script, request),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                cwd=empty,
                env=ENVIRONMENT,
                pass_fds=(files.source, files.target, files.levels),
                start_new_session=True,
            )
            try:
                yield process
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                await _unread(process)
                await process.wait()


@contextlib.contextmanager
def _opened(source: Path, target: Path) -> Iterator[_Files]:
    """Both ends as open files, so that the child never sees a name.

    The sound goes to a neighbour of `target` that is renamed at the end; an older file at `target` goes first.
    """
    with contextlib.ExitStack() as stack:
        reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        stack.callback(os.close, reading)
        if not stat.S_ISREG(os.fstat(reading).st_mode):
            raise Refused("not_audio")
        if target.exists() and os.path.samefile(source, target):
            raise ValueError("a recording can not be decoded onto itself")
        target.unlink(missing_ok=True)
        writing, name = tempfile.mkstemp(prefix=".decoding-", dir=target.parent)
        stack.callback(os.close, writing)
        partial = Path(name)
        stack.callback(partial.unlink, missing_ok=True)
        levels = stack.enter_context(tempfile.TemporaryFile(dir=target.parent))
        yield _Files(reading, writing, levels.fileno(), partial)


async def _unread(process: Process) -> None:
    """Throw away what a dead child still had to say: asyncio reports no end of a process whose pipe is full and paused."""
    if process.stdout is not None:
        while await process.stdout.read(1 << 16):
            pass


async def _told(process: Process) -> tuple[bytes, int]:
    """The first bytes of what the child says, and its exit status; 0 for one that never stops talking."""
    assert process.stdout is not None
    line = await _first_bytes(process.stdout)
    return line, await process.wait() if len(line) < REPORT_BYTES else 0


async def _first_bytes(stream: asyncio.StreamReader) -> bytes:
    """At most `REPORT_BYTES`; a child that writes more is not honest, and is not listened to."""
    read = b""
    while len(read) < REPORT_BYTES:
        part = await stream.read(REPORT_BYTES - len(read))
        if not part:
            break
        read += part
    return read


def _levels(descriptor: int, channels: Any, sound_bytes: int) -> tuple[bytes, ...]:
    """The levels of so many channels, where there are as many as the sound is long."""
    frames = level_frames(sound_bytes)
    if type(channels) is not int or not 2 <= channels <= MOST_LEVELS:
        return ()
    found = os.pread(descriptor, channels * frames + 1, 0)
    return tuple(found[at : at + frames] for at in range(0, len(found), frames)) if len(found) == channels * frames else ()


def _checked(report: dict[str, Any], path: str, size: int, most: int) -> DecodedAudio:
    """Turn the report of a process that has read hostile bytes into a domain value, or refuse."""
    if "broken" in report:
        raise DecoderBroken(f"the audio decoder can not start: {str(report['broken'])[:200]}")
    if "refused" in report:
        code, number = report["refused"], report.get("number")
        if code == "crash":
            logger.warning("audio decoder child failed with %.64r", report.get("cause"))
        if code in REASONS and (number is None or type(number) in (int, float)):
            raise Refused(code, number)
        raise Refused("crash")
    container, codec = report.get("container"), report.get("codec")
    channels, sample_rate, damaged = report.get("channels"), report.get("sample_rate"), report.get("damaged")
    sound = (
        isinstance(container, str)
        and isinstance(codec, str)
        and FORMAT_NAME.fullmatch(container)
        and FORMAT_NAME.fullmatch(codec)
        and type(channels) is int
        and type(sample_rate) is int
        and type(damaged) is bool
        and report.get("bytes") == size
        and 0 < size <= most
        and size % 2 == 0
    )
    if not sound:
        logger.warning("audio decoder child gave a report that does not hold")
        raise Refused("crash")
    return DecodedAudio(
        path, size / BYTES_PER_SECOND, str(container), str(codec), channels or 0, sample_rate or 0, damaged is True
    )
