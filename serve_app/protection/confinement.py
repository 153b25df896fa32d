"""How decoders of untrusted recordings are confined here: told in the log, and where the configuration asks for it, required."""

import logging

from adapters.pyav_decoder.command import DecoderBroken
from adapters.pyav_decoder.confinement import Confinement, probe_confinement
from adapters.pyav_decoder.sandbox import keep_memory_to_oneself
from serve_app.errors import StartFailed
from serve_app.settings.service import Settings

log = logging.getLogger("wordloop")


def prepare_for_decoders(settings: Settings) -> None:
    """Make this process, which starts decoders, ready for one that is taken over, and tell the log what holds.

    Its memory and its environment are kept from other processes of its user. Raises StartFailed as
    `refuse_without_confinement` does, since a replica may run on another machine than the one that asked first.
    """
    keep_memory_to_oneself()
    try:
        found = _found(settings)
    except DecoderBroken as broken:
        log.error("%s", broken)
        return
    level = logging.INFO if found.is_complete else logging.WARNING
    log.log(level, "%s", sentence(found), extra={"walls": list(found.walls), "ways_out": list(found.ways_out)})


def refuse_without_confinement(settings: Settings) -> None:
    """Raise StartFailed where the configuration requires that decoders are shut in and something is open."""
    if settings.security.require_confinement:
        _found(settings)


def _found(settings: Settings) -> Confinement:
    """What a child finds by trying. Raises DecoderBroken, and StartFailed where what is found is not what is required."""
    required = settings.security.require_confinement
    try:
        found = probe_confinement()
    except DecoderBroken as broken:
        if required:
            raise StartFailed(f"security.require_confinement: {broken}") from broken
        raise
    if required and not found.is_complete:
        raise StartFailed(f"security.require_confinement: {sentence(found)}")
    return found


def sentence(found: Confinement) -> str:
    """What stands around a decoder, and what one that was taken over could do."""
    walls = ", ".join(found.walls) or "resource limits alone"
    if found.is_complete:
        return f"audio decoders are shut in by {walls}"
    return f"audio decoders are not shut in (by {walls}): one that is taken over could {', '.join(found.ways_out)}"
