"""Results out: transcripts and recaps in their formats."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from adapters.http.common.documents import problems, text_formats
from adapters.http.common.gateway import Gateway
from adapters.http.common.request_headers import Tenant
from adapters.http.results.views import RecapView, TranscriptView
from application.recap_formats import action_items_csv, recap_markdown, recap_text
from application.recap_names import named_as_now
from application.recap_outline import recap_outline
from application.recap_tasks import tasks_of
from application.recap_times import with_times
from application.transcript_formats import markdown, plain_text, subrip, transcript_outline, web_vtt
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
    "csv": ("text/csv", action_items_csv),
}
PAGE, CALENDAR = "text/html", "text/calendar"
"""Media types of the formats that are written behind a port."""
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of a page: its own styles, and nothing else that a browser could do with it."""


def result_routes(gateway: Gateway) -> APIRouter:
    """The routes of finished work."""
    router = APIRouter(tags=["results"], responses=problems(404, 422, 503))
    services = gateway.services

    transcript_answers = text_formats(TranscriptView, "The transcript", *_media_of(TRANSCRIPT_FORMATS), PAGE)

    @router.get("/v1/transcripts/{transcript_id}", response_class=Response, responses=transcript_answers)
    async def get_transcript(
        transcript_id: ResultId,
        tenant: Tenant,
        file_format: Annotated[Literal["json", "txt", "srt", "vtt", "md", "html"], Query(alias="format")] = "json",
    ) -> Response:
        """A transcript as JSON, as a text file, or as a page with an anchor (`#t-12`) for every segment."""
        transcript = await services.transcripts.get_transcript(tenant, transcript_id)
        if file_format == "json":
            return JSONResponse(TranscriptView.of(transcript).model_dump(mode="json"))
        if file_format == "html":
            return _file(services.pages.transcript(transcript_outline(transcript)), PAGE, f"{transcript_id}.html")
        media_type, write = TRANSCRIPT_FORMATS[file_format]
        return _file(write(transcript), media_type, f"{transcript_id}.{file_format}")

    recap_answers = text_formats(RecapView, "The recap", *_media_of(RECAP_FORMATS), PAGE, CALENDAR)

    @router.get("/v1/recaps/{recap_id}", response_class=Response, responses=recap_answers)
    async def get_recap(
        recap_id: ResultId,
        tenant: Tenant,
        file_format: Annotated[Literal["json", "md", "txt", "html", "csv", "ics"], Query(alias="format")] = "json",
    ) -> Response:
        """A recap as JSON, Markdown, text to be read aloud, or a page; its action items as CSV, or as tasks (iCalendar).

        Times lead to the words in the transcript.
        """
        recap, segments = await _told(tenant, await services.recaps.get_recap(tenant, recap_id))
        name = f"{recap_id}.{file_format}"
        if file_format == "json":
            return JSONResponse(RecapView.of(recap).model_dump(mode="json"))
        if file_format == "html":
            return _file(services.pages.recap(recap_outline(recap, segments)), PAGE, name)
        if file_format == "ics":
            return _file(services.calendar.calendar(tasks_of(recap, segments), services.clock.now()), CALENDAR, name)
        media_type, write = RECAP_FORMATS[file_format]
        return _file(write(recap, segments), media_type, name)

    async def _told(tenant: str, recap: Recap) -> tuple[Recap, Sequence[Segment]]:
        """The recap under the names of now, and the segments that it cites; none when the transcript is gone."""
        if recap.transcript_id is None:
            return recap, ()
        try:
            transcript = await services.transcripts.get_transcript(tenant, recap.transcript_id)
        except NotFound:
            return recap, ()
        return named_as_now(with_times(recap, transcript.segments), transcript), transcript.segments

    return router


def _media_of(formats: Mapping[str, tuple[str, object]]) -> list[str]:
    return [media for media, _ in formats.values()]


def _file(text: str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    if media_type == PAGE:
        headers["Content-Security-Policy"] = PAGE_POLICY
    return Response(text, media_type=media_type, headers=headers)
