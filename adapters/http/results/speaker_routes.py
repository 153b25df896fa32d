"""Speakers of a transcript and their names."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, RootModel

from adapters.http.common.documents import problems
from adapters.http.common.fields import JsonOnly
from adapters.http.common.gateway import Gateway
from adapters.http.common.request_headers import Tenant
from adapters.http.common.speakers_body import SpeakerName
from adapters.http.results.routes import ResultId
from adapters.http.results.views import SpeakersView
from domain.named_speakers import MOST_SPEAKERS
from domain.transcript import Transcript


class NamesBody(RootModel[Annotated[dict[SpeakerName, SpeakerName], Field(min_length=1, max_length=MOST_SPEAKERS)]]):
    """What speakers are to be called, by their labels (`Speaker 1`) or by the names that they have now."""


class RenamedView(BaseModel):
    """The speakers of a transcript as they are called now. `merged`: names that several labels share, who are one speaker now."""

    object: Literal["transcript.speakers"] = "transcript.speakers"
    transcript_id: str
    speakers: SpeakersView
    merged: dict[str, list[str]]

    @classmethod
    def of(cls, transcript: Transcript) -> "RenamedView":
        merged = {name: list(labels) for name, labels in transcript.speakers.merged.items()}
        return cls(transcript_id=transcript.id, speakers=SpeakersView.of(transcript.speakers), merged=merged)


def speaker_routes(gateway: Gateway) -> APIRouter:
    """The routes of speakers."""
    router = APIRouter(tags=["results"], responses=problems(400, 404, 413, 415, 422, 503))

    @router.patch("/v1/transcripts/{transcript_id}/speakers", dependencies=[JsonOnly])
    async def rename_speakers(transcript_id: ResultId, names: NamesBody, tenant: Tenant) -> RenamedView:
        """Call speakers by their names: in the transcript, in its recaps and in what is found of it, without a model call.

        Labels never change: the same request twice does what it does once, and a label parts again what a name has made one. In a
        recap, who said a statement and who owns a task are renamed; in its sentences only labels such as `Speaker 1` are.
        """
        return RenamedView.of(await gateway.services.rename_speakers(tenant, transcript_id, names.root))

    return router
