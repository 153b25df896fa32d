"""What the engines of this cluster were really asked to compute."""

import os

ENGINE_LOG = "WORDLOOP_ENGINE_LOG"
"""Environment variable naming a file to which replicas append a line per engine call: `start KEY` and `end KEY`.

An audit of what was really computed, kept outside the cache and the database: the fault tests judge by it.
"""


class EngineLog:
    """Appends to the file in WORDLOOP_ENGINE_LOG, one write per line, so that lines of many processes stay whole."""

    def __init__(self) -> None:
        path = os.environ.get(ENGINE_LOG)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if path else None

    def write(self, event: str, key: str) -> None:
        """Append one line; nothing when no file was named."""
        if self._file is not None:
            os.write(self._file, f"{event} {key}\n".encode())
