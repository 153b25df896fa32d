"""The process that decodes one file: `python -I -S -B child.py REQUEST`, with two open files and no way to anything else.

REQUEST is one JSON object (see `decoder.py`). The answer is one line of JSON on standard output: the facts of the decode, or
the code of a refusal. Nothing is believed of it that the parent can measure itself.
"""

import json
import os
import sys
from typing import Any, BinaryIO

EXIT_BROKEN = 3
"""The child could not even start: the installation is at fault, not the file."""


def main() -> None:
    """Serve the one request on the command line and end."""
    request = json.loads(sys.argv[1])
    sys.path.extend(request["import_paths"])
    source = None if request.get("only_probe") else os.fdopen(request["source"], "rb", buffering=0, closefd=False)
    confinement = prepare(request)
    try:
        answer = confinement if source is None else answer_of(request, source)
    except MemoryError:
        answer = {"refused": "memory"}
    except Exception as error:  # PyAV raises many kinds; the parent logs which
        answer = {"refused": "crash", "cause": type(error).__name__}
    os.write(1, json.dumps(answer).encode() + b"\n")
    os._exit(0)  # tearing down a damaged decoder can only go wrong


def prepare(request: dict[str, Any]) -> dict[str, list[str]]:
    """Set the limits, import, confine; in this order, since a confined process can import nothing.

    Returns the walls that stand and the ways out that are open.
    """
    try:
        from adapters.pyav_decoder.limits import MIB, DecodeLimits
        from adapters.pyav_decoder.sandbox import confine, die_with_parent, limit_resources

        die_with_parent(request["parent"])
        limits, max_seconds = DecodeLimits(**request["limits"]), request["max_seconds"]
        limit_resources(
            limits.memory_bytes,
            limits.output_bytes(max_seconds) + MIB,  # the limit on seconds speaks first
            limits.cpu_seconds(0.0),
            limits.cpu_seconds(max_seconds) + 1,
        )
        from adapters.pyav_decoder.decoding import rehearse
        from adapters.pyav_decoder.ways_out import ways_out

        rehearse(limits)
        walls = confine(request["parent"])
        ways = ways_out(request["parent"], walls)
        if ways and request.get("require_confinement"):
            raise PermissionError(f"it is not confined; it could {', '.join(ways)}")
    except Exception as error:
        os.write(1, json.dumps({"broken": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(EXIT_BROKEN)
    return {"walls": walls, "ways_out": ways}


def answer_of(request: dict[str, Any], source: BinaryIO) -> dict[str, Any]:
    """The report for a request; by now the process is confined and everything is imported."""
    from adapters.pyav_decoder.decoding import Output, decode, write_whole
    from adapters.pyav_decoder.limits import DecodeLimits
    from adapters.pyav_decoder.refusals import Refused
    from adapters.pyav_decoder.sandbox import allow_cpu

    limits, max_seconds = DecodeLimits(**request["limits"]), request["max_seconds"]
    output = Output(request["target"], max_seconds, limits, lambda seconds: allow_cpu(limits.cpu_seconds(seconds)))
    try:
        facts = decode(source, output, max_seconds, limits, request.get("channel"))
        write_whole(request["levels"], b"".join(facts.levels))
    except Refused as refusal:
        return {"refused": refusal.code, "number": refusal.number}
    return {
        "level_channels": len(facts.levels),
        "container": facts.container,
        "codec": facts.codec,
        "channels": facts.channels,
        "sample_rate": facts.sample_rate,
        "damaged": facts.damaged,
        "bytes": output.written,
    }


if __name__ == "__main__":
    main()
