"""Uploads that can be interrupted: the tus protocol 1.0.0 with creation, expiration, termination and checksum."""

import base64
import binascii
from collections.abc import Mapping
from email.utils import formatdate
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel

from adapters.http.common.body_pieces import body_pieces
from adapters.http.common.documents import LOCATION, Responses, problems
from adapters.http.common.gateway import Gateway
from adapters.http.common.problems import HttpProblem
from adapters.http.common.request_headers import Tenant
from adapters.http.middleware.envelope import TUS_VERSION
from domain.upload import Checksum, PartialUpload
from ports.resumable_uploads import ResumableUploads

EXTENSIONS = "creation,expiration,termination,checksum"
ALGORITHMS = {"sha1": 20, "sha256": 32, "md5": 16}
"""What a checksum may be, and its bytes. The protocol wants sha1 at least."""
PIECE_TYPE = "application/offset+octet-stream"
LONGEST_METADATA = 4096
MOST_DIGITS = 18

_BYTES = {"schema": {"type": "integer"}, "description": "Bytes"}
BEGUN: Responses = {201: {"description": "The upload has begun", "headers": LOCATION | {"Upload-Offset": _BYTES}}}
ARRIVED: Responses = {200: {"description": "What has arrived", "headers": {"Upload-Offset": _BYTES, "Upload-Length": _BYTES}}}
PIECE_BODY = {"requestBody": {"content": {PIECE_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}

UploadId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Spoken = Annotated[str | None, Header(alias="Tus-Resumable", description="1.0.0")]
Count = Annotated[str | None, Header(description="Bytes")]


class UploadView(BaseModel):
    """An upload in bytes, and until when (Unix seconds) it waits for the rest."""

    id: str
    object: Literal["upload"] = "upload"
    offset: int
    length: int
    complete: bool
    expires_at: float

    @classmethod
    def of(cls, upload: PartialUpload) -> "UploadView":
        return cls(
            id=upload.id, offset=upload.offset, length=upload.length, complete=upload.complete, expires_at=upload.expires_at
        )


def tus_routes(gateway: Gateway) -> APIRouter:
    """The routes of resumable uploads."""
    router = APIRouter(tags=["uploads"], responses=problems(400, 404, 410, 412, 422, 501, 503))

    @router.options("/v1/uploads", response_class=Response, status_code=204)
    async def describe_uploads(request: Request) -> Response:
        """What of the protocol is spoken, and the largest upload."""
        told = {"Tus-Version": TUS_VERSION, "Tus-Extension": EXTENSIONS, "Tus-Checksum-Algorithm": ",".join(ALGORITHMS)}
        return Response(status_code=204, headers=told | {"Tus-Max-Size": str(gateway.limits_of(request).upload_bytes)})

    @router.post("/v1/uploads", response_class=Response, status_code=201, responses=BEGUN | problems(413, 429))
    async def create_upload(
        request: Request,
        tenant: Tenant,
        tus_resumable: Spoken = None,
        upload_length: Count = None,
        upload_metadata: Annotated[str | None, Header(description="`filename` and `filetype`, in base64")] = None,
    ) -> Response:
        """Begin an upload; its pieces go to the address in `Location`."""
        _check_version(tus_resumable)
        length = _count("Upload-Length", upload_length)
        if length > (most := gateway.limits_of(request).upload_bytes):
            raise HttpProblem("too_large", f"The recording is larger than {most} bytes.")
        await gateway.services.references.check_room(tenant, length)
        upload = await _uploads(gateway).create(tenant, length, _metadata(upload_metadata or ""))
        return Response(status_code=201, headers={"Location": f"/v1/uploads/{upload.id}", **_offset(upload)})

    @router.get("/v1/uploads/{upload_id}")
    async def get_upload(upload_id: UploadId, tenant: Tenant) -> UploadView:
        """How much of an upload has arrived, for people: the protocol asks with HEAD."""
        return UploadView.of(await _uploads(gateway).get(tenant, upload_id))

    @router.head("/v1/uploads/{upload_id}", response_class=Response, responses=ARRIVED)
    async def head_upload(upload_id: UploadId, tenant: Tenant, tus_resumable: Spoken = None) -> Response:
        """How much of an upload has arrived."""
        _check_version(tus_resumable)
        upload = await _uploads(gateway).get(tenant, upload_id)
        told = {"Upload-Length": str(upload.length), "Cache-Control": "no-store"} | _offset(upload)
        if upload.metadata:
            told["Upload-Metadata"] = ",".join(f"{name} {_base64(value)}" for name, value in upload.metadata.items())
        return Response(headers=told)

    async def add(request: Request, upload_id: str, tenant: str) -> Response:
        _check_version(request.headers.get("tus-resumable"))
        if request.headers.get("content-type", "").strip().lower() != PIECE_TYPE:
            raise HttpProblem("unsupported_media_type", f"Pieces are {PIECE_TYPE}.")
        offset = _count("Upload-Offset", request.headers.get("upload-offset"))
        checksum = _checksum(request.headers.get("upload-checksum"))
        pieces = body_pieces(request, gateway.limits.pace, "piece")
        upload = await _uploads(gateway).append(tenant, upload_id, offset, pieces, checksum)
        return Response(status_code=204, headers=_offset(upload))

    async def forget(request: Request, upload_id: str, tenant: str) -> Response:
        _check_version(request.headers.get("tus-resumable"))
        await _uploads(gateway).delete(tenant, upload_id)
        return Response(status_code=204)

    @router.patch(
        "/v1/uploads/{upload_id}", status_code=204, openapi_extra=PIECE_BODY, responses=problems(408, 409, 413, 415, 423, 460)
    )
    async def add_to_upload(request: Request, upload_id: UploadId, tenant: Tenant) -> Response:
        """Add bytes at `Upload-Offset`, which is where the upload ends."""
        return await add(request, upload_id, tenant)

    @router.delete("/v1/uploads/{upload_id}", status_code=204)
    async def delete_upload(request: Request, upload_id: UploadId, tenant: Tenant) -> Response:
        """Forget an upload."""
        return await forget(request, upload_id, tenant)

    @router.post(
        "/v1/uploads/{upload_id}",
        response_class=Response,
        status_code=204,
        openapi_extra=PIECE_BODY,
        responses=problems(405, 408, 409, 413, 415, 423, 460),
    )
    async def override_method(request: Request, upload_id: UploadId, tenant: Tenant) -> Response:
        """PATCH or DELETE for clients behind proxies that let neither pass (`X-HTTP-Method-Override`)."""
        instead = {"PATCH": add, "DELETE": forget}.get(request.headers.get("x-http-method-override", "").upper())
        if instead is None:
            raise HttpProblem("method_not_allowed", "X-HTTP-Method-Override names PATCH or DELETE.")
        return await instead(request, upload_id, tenant)

    return router


def _uploads(gateway: Gateway) -> ResumableUploads:
    if gateway.services.uploads is None:
        raise HttpProblem("not_implemented", "This service takes no uploads in pieces.")
    return gateway.services.uploads


def _check_version(spoken: str | None) -> None:
    if spoken != TUS_VERSION:
        told = {"Tus-Version": TUS_VERSION}
        raise HttpProblem("tus_version", f"Send Tus-Resumable: {TUS_VERSION}.", extra_headers=told)


def _count(name: str, value: str | None) -> int:
    if value is None or not value.isascii() or not value.isdecimal() or len(value) > MOST_DIGITS:
        raise HttpProblem("malformed_request", f"{name} takes a number of bytes.", name)
    return int(value)


def _offset(upload: PartialUpload) -> dict[str, str]:
    return {"Upload-Offset": str(upload.offset), "Upload-Expires": formatdate(upload.expires_at, usegmt=True)}


def _metadata(value: str) -> Mapping[str, str]:
    """Pairs of a name and its value in base64. Only the two that mean something here are kept."""
    if len(value) > LONGEST_METADATA:
        raise HttpProblem("malformed_request", f"Upload-Metadata takes {LONGEST_METADATA} characters.", "Upload-Metadata")
    pairs = [pair.strip().partition(" ") for pair in value.split(",") if pair.strip()]
    found = {name: _decoded(encoded, "Upload-Metadata").decode("utf-8", "replace") for name, _, encoded in pairs}
    return {name: found[name] for name in ("filename", "filetype") if name in found}


def _checksum(value: str | None) -> Checksum | None:
    if value is None:
        return None
    algorithm, _, encoded = value.partition(" ")
    digest = _decoded(encoded, "Upload-Checksum")
    if ALGORITHMS.get(algorithm) != len(digest):
        raise HttpProblem("malformed_request", f"Upload-Checksum takes one of {', '.join(ALGORITHMS)}.", "Upload-Checksum")
    return Checksum(algorithm, digest)


def _decoded(encoded: str, name: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise HttpProblem("malformed_request", f"{name} is not base64.", name) from error


def _base64(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
