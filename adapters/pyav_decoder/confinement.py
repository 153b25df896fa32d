"""How well decoders are confined on this machine, as a child of the usual kind finds by trying."""

import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass

from adapters.pyav_decoder.command import CHILD, ENVIRONMENT, DecoderBroken, command, import_paths
from adapters.pyav_decoder.limits import DecodeLimits

PROBE_S = 120.0
"""Seconds for the child to import its libraries: 200 times what it takes on an idle machine."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """`walls` stand around each decoder; `ways_out` are what a decoder that was taken over could still do, in words."""

    walls: tuple[str, ...]
    ways_out: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        return not self.ways_out


def probe_confinement(limits: DecodeLimits | None = None) -> Confinement:
    """Start a child that confines itself, looks for ways out and decodes nothing. Raises DecoderBroken."""
    request = {
        "import_paths": import_paths(),
        "parent": os.getpid(),
        "limits": asdict(limits or DecodeLimits()),
        "max_seconds": 1.0,
        "only_probe": True,
    }
    with tempfile.TemporaryDirectory(prefix="wordloop-decode-") as empty:
        try:
            child = subprocess.run(  # noqa: S603 - our own script
                command(CHILD, request), cwd=empty, env=ENVIRONMENT, capture_output=True, timeout=PROBE_S, check=False
            )
            answer = json.loads(child.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise DecoderBroken(f"the audio decoder can not start: {error}") from error
    if "broken" in answer:
        raise DecoderBroken(f"the audio decoder can not start: {answer['broken']}")
    return Confinement(tuple(answer["walls"]), tuple(answer["ways_out"]))
