"""A Redis server for the tests: private, on a socket in a folder of its own, ended with the session."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

PATIENCE_S = 60.0


class RedisServer:
    """One server that writes down every change before it answers; `database` hands out an empty database of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "socket"
        self._databases = count()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with what an earlier process of it wrote, and wait until it answers."""
        assert self._process is None
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: run `./just servers` (apt-get install redis-server)"
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "databases": "1000",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen([program, *arguments], stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                with Redis(unix_socket_path=str(self._socket)) as client:
                    client.ping()
                return
            except RedisError:
                if time.monotonic() > give_up or self._process.poll() is not None:
                    raise AssertionError((self._folder / "log").read_text()) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._process = None

    def stop(self) -> None:
        """End it; nothing when it does not run."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def database(self) -> str:
        """Return the address of a database that nobody has used."""
        return f"unix://{self._socket}?db={next(self._databases)}"


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Run a server for the time of the context."""
    folder = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))  # the path of a socket holds 107 bytes
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
