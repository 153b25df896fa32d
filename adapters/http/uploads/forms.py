"""An upload on its way from the socket to the store, and the forms that come with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Request
from pydantic import AliasChoices, Field, StringConstraints, ValidationError

from adapters.http.common.body import Body, Language
from adapters.http.common.body_pieces import body_pieces
from adapters.http.common.fields import FormTimeout, RecordedAt
from adapters.http.common.problems import HttpProblem
from adapters.http.common.services import HttpLimits
from adapters.http.common.speakers_body import FormSpeakers, plain_speakers
from adapters.http.common.template_body import GENERAL, FormTemplate
from adapters.http.common.validation import unfit
from adapters.http.middleware.body_limit import FORM_BYTES
from adapters.http.middleware.envelope import announced_length
from adapters.http.uploads.bodies import AudioUrlBody
from adapters.http.uploads.multipart import FilePiece, FormField, MultipartEvents, Part, boundary_of
from application.accept_upload import Upload
from application.payloads import AudioPayload
from domain.canonical import Json
from domain.upload import PartialUpload
from ports.blob_store import Blob
from ports.resumable_uploads import ResumableUploads

NEVER_AUDIO = (
    *(f"{kind}/" for kind in ("image", "text", "font", "message", "multipart")),
    *(f"application/{name}" for name in ("json", "pdf", "zip", "gzip", "xml", "javascript", "x-sh", "x-www-form-urlencoded")),
)
"""What a file part may not say it is. Anything else is tried: what a client says of a file is a guess."""
LONGEST_NAME = 255
"""Characters kept of a file name."""


class AudioForm(Body):
    """The fields beside `file`. `vocabulary` (or `prompt`): words to expect, such as names and jargon."""

    language: Language | None = None
    vocabulary: Annotated[
        Annotated[str, StringConstraints(max_length=1024)] | None,
        Field(validation_alias=AliasChoices("vocabulary", "prompt")),
    ] = None
    template: FormTemplate = GENERAL
    recorded_at: RecordedAt | None = None
    speakers: FormSpeakers = None
    timeout: FormTimeout | None = None

    def speakers_asked(self) -> Json:
        """What the job's payload carries of speakers."""
        return plain_speakers(self.speakers)

    def decoding(self) -> dict[str, Any]:
        """Members of the job's payload that only some forms name."""
        return {}

    def stores(self) -> bool:
        """Whether what the request makes may be kept."""
        return True


Form = TypeVar("Form", bound=AudioForm)


class FormUpload(Upload, Generic[Form]):
    """The one `file` part of a multipart request; its `form` is there once the pieces have ended."""

    def __init__(self, request: Request, limits: HttpLimits, form: type[Form], check: Callable[[Form], Awaitable[None]]) -> None:
        """Read the headers only. Raises HttpProblem: 415 (wrong type), 400 (no boundary), 413 (announced length)."""
        self._events = MultipartEvents(boundary_of(request.headers.get("content-type", "")))
        if announced_length(request.scope) > limits.upload_bytes + FORM_BYTES:
            raise HttpProblem("too_large", f"The recording is larger than {limits.upload_bytes} bytes.")
        self._request = request
        self._pace = limits.pace
        self._form_type = form
        self._check = check
        self._fields: dict[str, Any] = {}
        self._file: Part | None = None
        self.form: Form | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        async for event in self._events.of(body_pieces(self._request, self._pace, "upload")):
            if isinstance(event, FilePiece):
                yield event.data
            elif isinstance(event, FormField):
                self._keep(event)
            else:
                self._begin_file(event)
        if self._file is None:
            raise HttpProblem("validation_failed", "The form has no part named `file` with a file name.", "file")
        self.form = _validated(self._form_type, self._fields)
        await self._check(self.form)

    def payload(self, blob: Blob) -> AudioPayload:
        assert self.form is not None
        assert self._file is not None
        return AudioPayload(
            blob_id=blob.id,
            size=blob.size,
            filename=clean_name(self._file.filename),
            media_type=printable(self._file.content_type),
            language=self.form.language,
            vocabulary=self.form.vocabulary,
            template=self.form.template.choice(),
            recorded_at=self.form.recorded_at,
            speakers=self.form.speakers_asked(),
            **self.form.decoding(),
        )

    def timeout_s(self) -> float | None:
        assert self.form is not None
        return self.form.timeout

    def stores(self) -> bool:
        assert self.form is not None
        return self.form.stores()

    def _begin_file(self, part: Part) -> None:
        if part.name != "file" or self._file is not None:
            raise HttpProblem("validation_failed", "Send exactly one file, in the part named `file`.", "file")
        if (part.content_type or "").strip().lower().startswith(NEVER_AUDIO):
            raise HttpProblem("unsupported_media_type", "The file says that it is neither audio nor video.", "file")
        self._file = part

    def _keep(self, field: FormField) -> None:
        """Lists are named `name[]`, as SDKs send them; people who type leave the brackets out."""
        listed = field.name.removesuffix("[]") + "[]"
        if any(known.alias == listed for known in self._form_type.model_fields.values()):
            self._fields.setdefault(listed, []).append(field.value)
        elif field.name in self._fields:
            raise HttpProblem("validation_failed", "The field was sent twice.", printable(field.name))
        else:
            self._fields[field.name] = field.value


class StoredUpload(Upload):
    """A complete upload that came in pieces, on its way to the blob store."""

    def __init__(self, uploads: ResumableUploads, tenant: str, upload: PartialUpload, body: AudioUrlBody) -> None:
        self._uploads = uploads
        self._tenant = tenant
        self._upload = upload
        self._body = body

    def pieces(self) -> AsyncIterator[bytes]:
        return self._uploads.read(self._tenant, self._upload.id)

    def payload(self, blob: Blob) -> AudioPayload:
        return AudioPayload(
            blob_id=blob.id,
            size=blob.size,
            filename=clean_name(self._upload.metadata.get("filename")),
            media_type=printable(self._upload.metadata.get("filetype")),
            language=self._body.language,
            vocabulary=self._body.vocabulary,
            template=self._body.template.choice(),
            recorded_at=self._body.recorded_at,
            speakers=plain_speakers(self._body.speakers),
        )

    def timeout_s(self) -> float | None:
        return self._body.timeout


def _validated(form: type[Form], fields: dict[str, Any]) -> Form:
    """Empty fields count as not sent: HTML forms and SDKs send them so."""
    try:
        return form.model_validate({name: value for name, value in fields.items() if value != ""})
    except ValidationError as error:
        raise unfit(error, fields) from error


def clean_name(name: str | None) -> str | None:
    """A file name for people: no path, no control or direction characters, bounded. Never used to open anything."""
    return printable(name.replace("\\", "/").rsplit("/", 1)[-1]) if name is not None else None


def printable(words: str | None) -> str | None:
    """What a client said, without control characters and bounded; None when nothing is left."""
    if words is None:
        return None
    return "".join(character for character in words if character.isprintable()).strip()[:LONGEST_NAME] or None
