"""A PostgreSQL server for the tests: private, on a socket in a folder of its own, ended with the session."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.memory_folder import memory_folder

PATIENCE_S = 60.0


class PostgresqlServer:
    """One server; `database` makes a fresh, empty database in it."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb", "--pgdata", str(self._data), "--username", "tests", "--auth", "trust", "--no-locale", "--encoding", "UTF8"
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None
        quick = [] if self._durable else ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        command = [program("postgres"), "-D", str(self._data), "-k", str(self._folder), "-c", "listen_addresses=", *quick]
        self._process = subprocess.Popen(
            command,
            stdout=(self._folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            **as_somebody_else(),
            start_new_session=True,
        )
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._execute("SELECT 1")
                return
            except Exception:
                if time.monotonic() > give_up or self._process.poll() is not None:
                    raise AssertionError((self._folder / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT is PostgreSQL's fast shutdown; SIGQUIT ends every process of it at once, as a crash would."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(PATIENCE_S)
        self._process = None

    def database(self, like: str | None = None) -> str:
        """Make a database and return its address: an empty one, or a copy of the one at the address `like`, which nobody uses."""
        name = f"test_{secrets.token_hex(8)}"
        template = "" if like is None else f" TEMPLATE {make_url(like).database}"
        self._execute(f"CREATE DATABASE {name}{template}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Delete a database, whoever is still connected to it."""
        self._execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return f"postgresql://tests@/{name}?host={self._folder}"

    def _execute(self, statement: str) -> None:
        url = self._url("postgres").replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run([program(name), *arguments], check=False, capture_output=True, text=True, **as_somebody_else())
        assert done.returncode == 0, done.stderr


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; Debian keeps them out of PATH."""
    found = [*([shutil.which(name)] if shutil.which(name) else []), *sorted(glob(f"/usr/lib/postgresql/*/bin/{name}"))]
    assert found, f"PostgreSQL's {name} is missing: run `./just servers` (apt-get install postgresql)"
    return str(found[0])


def as_somebody_else() -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[PostgresqlServer]:
    """Run a server for the time of the context. Not `durable` is several times faster and loses data only in a power cut."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if durable else memory_folder()))  # a socket's path holds 107 bytes
    try:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
        server = PostgresqlServer(folder, durable=durable)
        server.start()
        try:
            yield server
        finally:
            if server._process is not None:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
