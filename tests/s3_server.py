"""An S3 server for the tests (moto's, on loopback, ended with the session), and a front that makes it ill."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer

from adapters.s3_blobs import S3Access

KEYS = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests", "region_name": "us-east-1"}


class S3Server:
    """One server; `bucket` makes a fresh, empty bucket in it."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.client = boto3.session.Session(**KEYS).client("s3", endpoint_url=f"http://{host}:{port}")

    def bucket(self) -> S3Access:
        """Make an empty bucket and say how to reach it."""
        name = f"test-{uuid4().hex}"
        self.client.create_bucket(Bucket=name)
        return self.access(name)

    def access(self, name: str, port: int | None = None, **changes: Any) -> S3Access:
        """Say how to reach a bucket, directly or by another port."""
        return S3Access(name, f"http://{self.host}:{port or self.port}", None, "pre/fix", "tests", "tests", **changes)

    def keys(self, access: S3Access) -> list[str]:
        """Every object in the bucket."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=access.bucket).get("Contents", [])]

    def uploads(self, access: S3Access) -> list[str]:
        """Every multipart upload that was begun and neither completed nor aborted."""
        return [each["Key"] for each in self.client.list_multipart_uploads(Bucket=access.bucket).get("Uploads", [])]

    def contents(self, access: S3Access) -> bytes:
        """The bytes of all objects, one after the other."""
        return b"".join(self.client.get_object(Bucket=access.bucket, Key=key)["Body"].read() for key in self.keys(access))


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Run a server for the time of the context."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield S3Server(*server.get_host_and_port())
    finally:
        server.stop()


class IllFront:
    """Forwards requests to a server, except for those that `fault` names.

    A fault is a method, or "*" for every one, and "503", "truncated", "slow", "full" (507) or "sunk" (taken and thrown away).
    """

    def __init__(self, server: S3Server) -> None:
        self.fault: tuple[str, str] | None = None
        self.asked: list[str] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def handle_any(self) -> None:
                front._answer(self, server)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, server: S3Server) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        self.asked.append(f"{request.command} {request.path}")
        ill = self.fault[1] if self.fault and self.fault[0] in ("*", request.command) else None
        if ill in ("503", "full"):
            code = "SlowDown" if ill == "503" else "XMinioStorageFull"
            return self._send(request, 503 if ill == "503" else 507, f"<Error><Code>{code}</Code></Error>".encode())
        if ill == "sunk":
            return self._send(request, 200, b"", headers={"ETag": '"sunk"'})
        if ill == "slow":
            time.sleep(3.0)
        onward = http.client.HTTPConnection(server.host, server.port)
        onward.request(request.command, request.path, body, dict(request.headers))
        answer = onward.getresponse()
        data = answer.read()
        cut = len(data) // 2 if ill == "truncated" else len(data)
        self._send(request, answer.status, data, cut, dict(answer.getheaders()))
        onward.close()
        return None

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, data: bytes, cut: int | None = None, headers: Any = None
    ) -> None:
        request.send_response(status)
        kept = {
            name: value for name, value in (headers or {}).items() if name.lower() in ("etag", "content-type", "last-modified")
        }
        length = (headers or {}).get("Content-Length") if request.command == "HEAD" else str(len(data))
        for name, value in kept.items() | {("Content-Length", length or "0")}:
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data[:cut])
        if cut is not None and cut < len(data):
            request.close_connection = True


@contextmanager
def ill_front(server: S3Server) -> Iterator[IllFront]:
    """Put a front before a server for the time of the context."""
    front = IllFront(server)
    try:
        yield front
    finally:
        front.close()
