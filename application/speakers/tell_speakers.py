"""Find out who speaks while a recording is being transcribed, and give the words to them; its failure costs nothing else."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from application.bounded_calls import reason
from application.job_session import JobSession
from application.speakers.asked import SpeakersAsked
from application.speakers.give_words import given_words, labelled
from application.speakers.know_voices import KnowVoices
from domain.audio import DecodedAudio
from domain.call import CallContext, Provenance
from domain.channels import ChannelTurns, channel_turns
from domain.errors import JobCancelled, LeaseLost, StorageFailed, WordloopError
from domain.failure import stack_of
from domain.named_speakers import Speakers, SpeakerStatus, ToldBy
from domain.speakers import SpeakerCount, SpeakerTurn, SpokenTurns, SpokenVoice
from domain.transcript import Transcript

log = logging.getLogger("wordloop.worker")

SPEAKER_RECIPE: Final = 2
"""Version of what tells speakers apart and gives them words; raise it with every change that can change who says what."""
NO_MODEL: Final = "no_speaker_model"
"""Why speakers are not found where they are asked for and nothing here can tell them apart."""
ONE_CHANNEL: Final = "one_channel"
"""Why channels tell nobody apart where they are asked to: there is one, or more than anybody has speakers in."""
OnUnit = Callable[[int, int], Awaitable[None]]


class FindTurns(Protocol):
    """Who speaks when in a recording, by voice. `on_progress` is told `done` and `total` units."""

    async def __call__(
        self, audio: DecodedAudio, count: SpeakerCount, context: CallContext, on_progress: OnUnit
    ) -> SpokenTurns: ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of it: turns and what told them apart, or why there are none; neither where nobody looked.

    `voices` by the number of the speaker, where voices were listened to.
    """

    turns: tuple[SpeakerTurn, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    told_by: ToldBy | None = None
    failure: str | None = None
    voices: tuple[SpokenVoice | None, ...] = ()


NOBODY_LOOKED = Heard()


@dataclass(frozen=True, slots=True)
class TellSpeakers:
    """Tells speakers apart. `find` None: no voices here. `by_default`: also where a request says nothing of speakers.

    `know`: knows speakers by the voices that are kept, for requests that ask for it.
    """

    find: FindTurns | None = None
    by_default: bool = True
    know: KnowVoices | None = None

    @asynccontextmanager
    async def beside(
        self, session: JobSession, audio: DecodedAudio, asked: SpeakersAsked, context: CallContext
    ) -> AsyncGenerator["Listening", None]:
        """Listen while the body of the `with` runs; what is not heard by its end is given up."""
        progress = _Progress(session)
        task = asyncio.create_task(self._heard(audio, asked, context, progress.on_unit))
        try:
            yield Listening(task, progress, asked, context, self.know)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def by_channel(self, audio: DecodedAudio, asked: SpeakersAsked) -> ChannelTurns | None:
        """Return who speaks in which channel, where each of two has a speaker of its own and the request lets that tell them."""
        if not self._wanted(asked) or asked.count.most == 1 or asked.told_by is ToldBy.VOICE or asked.of_kept_voices:
            return None
        found = await asyncio.to_thread(channel_turns, audio.levels) if audio.levels else None
        fits = found is not None and found.apart and (asked.told_by is ToldBy.CHANNEL or _fits(asked.count, found.speakers))
        return found if fits else None

    def _wanted(self, asked: SpeakersAsked) -> bool:
        return self.by_default if asked.wanted is None else asked.wanted

    async def _heard(self, audio: DecodedAudio, asked: SpeakersAsked, context: CallContext, on_unit: OnUnit) -> Heard:
        if not self._wanted(asked):
            return NOBODY_LOOKED
        if asked.count.most == 1 and not asked.of_kept_voices:
            return Heard((SpeakerTurn(0.0, audio.seconds, 0),), told_by=ToldBy.COUNT)
        if asked.told_by is ToldBy.CHANNEL:
            found = await asyncio.to_thread(channel_turns, audio.levels) if audio.levels else None
            return Heard(failure=ONE_CHANNEL) if found is None else Heard(found.turns, told_by=ToldBy.CHANNEL)
        if self.find is None:
            return NOBODY_LOOKED if asked.wanted is None else Heard(failure=NO_MODEL)
        try:
            spoken = await self.find(audio, asked.count, context, on_unit)
            if asked.count.most == 1:
                alone = (SpeakerTurn(0.0, audio.seconds, 0),)
                return Heard(alone, spoken.provenance, ToldBy.COUNT, voices=spoken.voices[:1])
            return Heard(spoken.turns, spoken.provenance, ToldBy.VOICE, voices=spoken.voices)
        except (LeaseLost, JobCancelled):
            raise
        except StorageFailed:
            return Heard(failure="storage_failed")
        except WordloopError as error:
            return Heard(failure=reason(error, "speaker_model"))
        except Exception as error:
            log.error("speakers could not be found", extra={"wordloop_job_id": context.job_id, "failure": stack_of(error)})
            return Heard(failure="internal_error")


def _fits(count: SpeakerCount, speakers: int) -> bool:
    return (count.least or 0) <= speakers <= (count.most or speakers)


@dataclass(frozen=True, slots=True)
class Listening:
    """Speakers being found."""

    task: asyncio.Task[Heard]
    progress: "_Progress"
    asked: SpeakersAsked
    context: CallContext
    know: KnowVoices | None = None

    async def named(self, transcript: Transcript) -> Transcript:
        """Return the transcript with its speakers as soon as they are known, or with the reason why they are not."""
        if not self.task.done():
            await self.progress.begin()
        heard = await self.task
        if heard.failure is not None:
            return replace(transcript, speakers=Speakers(SpeakerStatus.FAILED, heard.failure))
        if heard.told_by is None:
            return transcript
        given = await asyncio.to_thread(given_words, transcript, heard.turns)
        named = labelled(transcript, given, self.asked.names, heard.told_by)
        if self.know is not None and self.asked.of_kept_voices:
            voices = [heard.voices[number] if number < len(heard.voices) else None for number in given.order]
            named = named.naming(await self.know(named.speakers, voices, self.asked, self.context))
        return replace(named, provenance=named.provenance + heard.provenance)


@dataclass(slots=True)
class _Progress:
    """Tells the job how far it is, once nothing else is left to tell of."""

    session: JobSession
    done: int = 0
    total: int = 0
    known: int | None = None

    async def begin(self) -> None:
        """Enter the stage. What it takes is known when its next unit ends."""
        self.known = self.done
        left = max(1, self.total - self.done)
        self.session.remaining.price("speakers", None)
        await self.session.begin("speakers", in_flight=1 / left)

    async def on_unit(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self.known is not None and total > self.known:
            await self.session.advance(done - self.known, total - self.known)
