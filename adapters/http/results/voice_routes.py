"""Voices that a tenant keeps: listed, and deleted. They are kept by a job whose `speakers` asks to remember them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from adapters.http.common.documents import problems
from adapters.http.common.gateway import Gateway
from adapters.http.common.request_headers import Tenant
from domain.voice_profiles import VoiceModel, VoiceProfile

VoiceId = Annotated[str, Path(pattern=r"^voice_[0-9a-f]{32}$")]


class VoiceModelView(BaseModel):
    """The speaker model that a voice was kept with."""

    id: str
    revision: str


class VoiceView(BaseModel):
    """A voice that is kept under a name, without what it sounds like.

    `seconds` of talk that it was made from. `usable`: made with the speaker model that is served now; others are compared with
    nothing. `remembered_at` in Unix seconds.
    """

    id: str
    object: Literal["voice"] = "voice"
    name: str
    seconds: float
    model: VoiceModelView
    usable: bool
    remembered_at: float

    @classmethod
    def of(cls, profile: VoiceProfile, served: VoiceModel | None) -> "VoiceView":
        return cls(
            id=profile.id,
            name=profile.name,
            seconds=round(profile.voice.seconds, 2),
            model=VoiceModelView(id=profile.model.id, revision=profile.model.revision),
            usable=profile.model == served,
            remembered_at=profile.remembered_at,
        )


class VoiceList(BaseModel):
    """All voices, by name."""

    object: Literal["list"] = "list"
    data: list[VoiceView]


class ForgottenView(BaseModel):
    """How many voices were deleted."""

    object: Literal["voices.deleted"] = "voices.deleted"
    deleted: int


def voice_routes(gateway: Gateway) -> APIRouter:
    """The routes of kept voices."""
    router = APIRouter(tags=["voices"], responses=problems(503))

    @router.get("/v1/voices")
    async def list_voices(tenant: Tenant) -> VoiceList:
        """All voices that are kept. None is, unless a request asked to `remember` it."""
        kept = await gateway.services.voices.list(tenant)
        return VoiceList(data=[VoiceView.of(profile, gateway.services.voice_model) for profile in kept])

    @router.delete("/v1/voices")
    async def delete_voices(tenant: Tenant) -> ForgottenView:
        """Delete every voice that is kept. Transcripts keep the names that were found."""
        return ForgottenView(deleted=await gateway.services.voices.forget_all(tenant))

    @router.delete("/v1/voices/{voice_id}", status_code=204, responses=problems(404, 422))
    async def delete_voice(voice_id: VoiceId, tenant: Tenant) -> Response:
        """Delete a voice. Nobody is known by it from now on; transcripts keep the names that were found."""
        await gateway.services.voices.forget(tenant, voice_id)
        return Response(status_code=204)

    return router
