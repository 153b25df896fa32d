"""A large upload passes through the process without staying in it."""

from collections.abc import AsyncIterator

import psutil
import pytest

from adapters.http.common.services import HttpLimits

MEGABYTE = 1024 * 1024
UPLOAD = 200 * MEGABYTE
MOST_GROWTH = 60 * MEGABYTE
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


@pytest.fixture
def limits() -> HttpLimits:
    """Large enough for the upload."""
    return HttpLimits(upload_bytes=UPLOAD)


async def test_two_hundred_megabytes_leave_memory_flat(served):
    process = psutil.Process()
    piece = bytes(range(256)) * 1024
    grown: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield HEAD
        for _ in range(UPLOAD // len(piece)):
            grown.append(process.memory_info().rss)
            yield piece
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await served.client.post("/v1/conversations", content=body(), headers=headers)

    assert answer.status_code == 202
    assert [path.stat().st_size for path in served.blob_files()] == [UPLOAD]
    assert max(grown) - grown[0] < MOST_GROWTH, f"grew by {(max(grown) - grown[0]) / MEGABYTE:.0f} MiB"
