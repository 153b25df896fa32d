"""Common beginnings of prompts, read once and then copied into whichever slot needs them.

llama.cpp reuses only what a slot itself has read before: eight requests of one prompt at once would read its fixed words eight
times, which on a CPU is most of the work. Copying a saved state of 500 tokens into a slot takes 5 ms, reading them 10 s. Every
request begins from the copy, whatever the slot held: what a request finds in the cache changes the last bits of its sums, and so
must not hang on who came before.
"""

import asyncio
from collections import OrderedDict
from functools import partial

from adapters.llama_cpp_engine.server import LlamaCppServer
from domain.canonical import sha256_of
from domain.errors import WordloopError

SHORTEST_TOKENS = 64
"""A shorter beginning is read again: it costs less than two seconds on the slowest machine."""
KEPT = 8
"""Saved states at once: 17 MB each for 600 tokens of the bundled model. A recap uses two prompts."""


class SavedPrefixes:
    """States of the key-value cache by prefix, saved by the server into its own folder."""

    def __init__(self, server: LlamaCppServer) -> None:
        self._server = server
        self._saved: OrderedDict[str, asyncio.Task[None]] = OrderedDict()

    async def bring(self, slot: int, tokens: tuple[int, ...]) -> bool:
        """Let `slot` hold `tokens` and nothing else: read by the first request of this beginning, copied for all others.

        False when it is too short to be saved, or could not be: then all of the request is read.
        """
        if len(tokens) < SHORTEST_TOKENS:
            return False
        name = sha256_of(list(tokens))[:24]
        reading = self._saved.get(name)
        first = reading is None
        if reading is None:
            reading = self._saved[name] = asyncio.create_task(self._read(slot, name, tokens))
        self._saved.move_to_end(name)
        try:
            # Others wait for the same reading, so one request that is cancelled must not end it.
            await asyncio.shield(reading)
            if not first:
                await self._server.post(f"/slots/{slot}?action=restore", {"filename": name})
        except WordloopError:
            self._saved.pop(name, None)
            return False
        finally:
            if first:  # cancelled or not: nobody else may have the slot while its state is read and saved
                await asyncio.wait({reading})
        self._evict()
        return True

    def _evict(self) -> None:
        while len(self._saved) > KEPT:
            oldest, reading = self._saved.popitem(last=False)
            reading.add_done_callback(partial(self._remove, oldest))

    def _remove(self, name: str, _reading: asyncio.Task[None]) -> None:
        self._server.remove_saved(name)

    async def _read(self, slot: int, name: str, tokens: tuple[int, ...]) -> None:
        await self._server.post("/completion", {"prompt": list(tokens), "n_predict": 0, "id_slot": slot, "cache_prompt": False})
        await self._server.post(f"/slots/{slot}?action=save", {"filename": name})
