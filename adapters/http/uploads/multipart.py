"""Multipart bodies, piece by piece: nothing of the file is kept here."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.http.common.problems import HttpProblem

MOST_PARTS = 64
"""Parts of one body: the longest form of the OpenAI SDK has a dozen."""
LONGEST_FIELD = 64 * 1024
"""Bytes of one form field."""
LONGEST_HEADER = 4 * 1024
"""Bytes of one part header line."""
MOST_HEADERS = 8
PIECE = 256 * 1024
"""Bytes handed on at once, whatever the server's own chunks are: some hand over a body whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """The headers of a part. `filename` is set for files only."""

    name: str
    filename: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True)
class FormField:
    """A complete form field."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FilePiece:
    """Some bytes of the file part, in order."""

    data: bytes


Event = Part | FormField | FilePiece


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/form-data content type. Raises HttpProblem: 415 for another type, 400 without one."""
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise HttpProblem("unsupported_media_type", "Send multipart/form-data with a part named `file`.")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise HttpProblem("malformed_request", "The multipart content type names no boundary.")
    return boundary


class MultipartEvents:
    """Turns the chunks of one body into events. A part with a filename is a file; every other part is a field."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[Event] = []
        self._header = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._part: Part | None = None
        self._field = bytearray()
        self._parts = 0
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._header_ended,
                    "on_headers_finished": self._headers_ended,
                    "on_part_data": self._data,
                    "on_part_end": self._part_ended,
                    "on_end": self._body_ended,
                },
                max_header_count=MOST_HEADERS,
                max_header_size=LONGEST_HEADER,
            )
        except FormParserError as error:
            raise HttpProblem("malformed_request", "The multipart boundary is too long.") from error

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
        """Yield the events of the body. Raises HttpProblem for a body that is broken or ends early."""
        async for chunk in chunks:
            for at in range(0, len(chunk), PIECE):
                for event in self._feed(chunk[at : at + PIECE]):
                    yield event
        if not self._ended:
            raise HttpProblem("malformed_request", "The multipart body ended before its last boundary.")

    def _feed(self, chunk: bytes) -> Iterator[Event]:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise HttpProblem("malformed_request", "The multipart body is broken.") from error
        events, self._events = self._events, []
        yield from events

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise HttpProblem("malformed_request", f"The form has more than {MOST_PARTS} parts.")
        self._headers = {}
        self._field.clear()

    def _header_ended(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_ended(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b"").decode("latin-1"))
        if kind != b"form-data" or b"name" not in options:
            raise HttpProblem("malformed_request", "A part of the form has no name.")
        filename = options.get(b"filename")
        content_type = self._headers.get(b"content-type")
        self._part = Part(
            options[b"name"].decode("utf-8", "replace"),
            filename.decode("utf-8", "replace") if filename is not None else None,
            content_type.decode("latin-1") if content_type is not None else None,
        )
        if self._part.filename is not None:
            self._events.append(self._part)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None and self._part.filename is not None:
            self._events.append(FilePiece(data[start:end]))
            return
        if len(self._field) + end - start > LONGEST_FIELD:
            raise HttpProblem("malformed_request", f"A form field is longer than {LONGEST_FIELD} bytes.")
        self._field.extend(data[start:end])

    def _part_ended(self) -> None:
        if self._part is not None and self._part.filename is None:
            try:
                self._events.append(FormField(self._part.name, self._field.decode("utf-8")))
            except UnicodeDecodeError as error:
                raise HttpProblem("malformed_request", "A form field is not UTF-8.") from error

    def _body_ended(self) -> None:
        self._ended = True
