"""Bytes that are looked at once: kept in a file of our own while that lasts, and never longer."""

import asyncio
import errno
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from domain.errors import InvalidRequest, StorageFailed, StorageFull, TooLarge


@dataclass(frozen=True, slots=True)
class Spool:
    """Takes uploads into `folder`. They are not made durable and nobody else can name them."""

    folder: Path

    @asynccontextmanager
    async def kept(self, pieces: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[Path]:
        """Write the pieces to a file for the time of the context.

        Raises TooLarge as soon as the count passes `most_bytes`, InvalidRequest for no bytes, StorageFailed for a disk that
        refuses, and what the pieces raise.
        """
        path = self.folder / f"{secrets.token_hex(16)}.upload"
        try:
            await self._write(path, pieces, most_bytes)
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def _write(self, path: Path, pieces: AsyncIterator[bytes], most_bytes: int) -> None:
        size = 0
        try:
            with path.open("xb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > most_bytes:
                        raise TooLarge(f"The recording is larger than {most_bytes} bytes.")
                    await asyncio.to_thread(file.write, piece)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("There is no room left on the disk; nothing was stored.") from error
            raise StorageFailed(f"The disk refused with {type(error).__name__}.") from error
        if size == 0:
            raise InvalidRequest("The recording is empty.")
