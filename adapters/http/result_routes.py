"""Results out: transcripts and recaps in their formats, deletion of a conversation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from adapters.http.documents import problems, text_formats
from adapters.http.edge import Edge
from adapters.http.result_views import RecapView, TranscriptView
from adapters.http.terms import Tenant
from adapters.http.views import DeletedView
from application.recap_formats import recap_markdown, recap_text
from application.transcript_formats import markdown, plain_text, subrip, web_vtt
from domain.errors import NotFound
from domain.recap import Recap
from domain.transcript import Segment, Transcript

ResultId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
TRANSCRIPT_FORMATS: Mapping[str, tuple[str, Callable[[Transcript], str]]] = {
    "txt": ("text/plain", plain_text),
    "srt": ("application/x-subrip", subrip),
    "vtt": ("text/vtt", web_vtt),
    "md": ("text/markdown", markdown),
}
RECAP_FORMATS: Mapping[str, tuple[str, Callable[[Recap, Sequence[Segment]], str]]] = {
    "md": ("text/markdown", recap_markdown),
    "txt": ("text/plain", recap_text),
}


def result_routes(edge: Edge) -> APIRouter:
    """The routes of finished work."""
    router = APIRouter(tags=["results"], responses=problems(404, 409, 422, 503))
    services = edge.services

    transcript_answers = text_formats(TranscriptView, "The transcript", *(media for media, _ in TRANSCRIPT_FORMATS.values()))

    @router.get("/v1/transcripts/{transcript_id}", response_class=Response, responses=transcript_answers)
    async def get_transcript(
        transcript_id: ResultId,
        tenant: Tenant,
        file_format: Annotated[Literal["json", "txt", "srt", "vtt", "md"], Query(alias="format")] = "json",
    ) -> Response:
        """A transcript as JSON, or as a text file."""
        transcript = await services.transcripts.get_transcript(tenant, transcript_id)
        if file_format == "json":
            return JSONResponse(TranscriptView.of(transcript).model_dump(mode="json"))
        media_type, write = TRANSCRIPT_FORMATS[file_format]
        return _file(write(transcript), media_type, f"{transcript_id}.{file_format}")

    recap_answers = text_formats(RecapView, "The recap", *(media for media, _ in RECAP_FORMATS.values()))

    @router.get("/v1/recaps/{recap_id}", response_class=Response, responses=recap_answers)
    async def get_recap(
        recap_id: ResultId,
        tenant: Tenant,
        file_format: Annotated[Literal["json", "md", "txt"], Query(alias="format")] = "json",
    ) -> Response:
        """A recap as JSON, or as a text file whose statements name the times they rest on."""
        recap = await services.recaps.get_recap(tenant, recap_id)
        if file_format == "json":
            return JSONResponse(RecapView.of(recap).model_dump(mode="json"))
        media_type, write = RECAP_FORMATS[file_format]
        return _file(write(recap, await _segments(tenant, recap)), media_type, f"{recap_id}.{file_format}")

    @router.delete("/v1/conversations/{conversation_id}")
    async def delete_conversation(conversation_id: ResultId, tenant: Tenant) -> DeletedView:
        """Delete audio, results, vectors and cached calls; a job that still works on it is stopped first."""
        await services.delete_conversation(tenant, conversation_id)
        return DeletedView(id=conversation_id)

    async def _segments(tenant: str, recap: Recap) -> Sequence[Segment]:
        """The cited segments, none when the transcript is gone: the recap is readable without."""
        if recap.transcript_id is None:
            return ()
        try:
            return (await services.transcripts.get_transcript(tenant, recap.transcript_id)).segments
        except NotFound:
            return ()

    return router


def _file(text: str, media_type: str, name: str) -> Response:
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'inline; filename="{name}"'})
