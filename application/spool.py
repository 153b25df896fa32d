"""Bytes that are looked at once: kept in a file of our own while that lasts, and never longer."""

import asyncio
import errno
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from domain.errors import InvalidAudio, RateLimited, StorageFailed, StorageFull, TooLarge

MOST_OF_ONE = 8
"""Files of one caller at once: more than one product server looks at in the same seconds, and a bound on what dribbles in."""
RETRY_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Spool:
    """Takes uploads into `folder`, `most_of_one` of each caller at once.

    They are not made durable and nobody else can name them.
    """

    folder: Path
    most_of_one: int = MOST_OF_ONE
    _held: Counter[str] = field(default_factory=Counter, compare=False)

    @asynccontextmanager
    async def kept(self, caller: str, pieces: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[Path]:
        """Write the pieces to a file for the time of the context.

        Raises RateLimited for a caller with too many files here, TooLarge as soon as the count passes `most_bytes`,
        InvalidAudio for no bytes, StorageFailed for a disk that refuses, and what the pieces raise.
        """
        if self._held[caller] >= self.most_of_one:
            raise RateLimited(
                f"{self.most_of_one} of your recordings are read already, which is the most at once.", RETRY_AFTER_S
            )
        self._held[caller] += 1
        path = self.folder / f"{secrets.token_hex(16)}.upload"
        try:
            await self._write(path, pieces, most_bytes)
            yield path
        finally:
            path.unlink(missing_ok=True)
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]

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
            raise InvalidAudio("The recording is empty.")
