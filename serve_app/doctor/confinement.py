"""Whether decoders of untrusted recordings are shut in on this machine, as a finding of `wordloop doctor`."""

from collections.abc import Iterator

from adapters.pyav_decoder.command import DecoderBroken
from adapters.pyav_decoder.confinement import probe_confinement
from serve_app.doctor.checks import Finding, failed, good, warning
from serve_app.protection.confinement import sentence
from serve_app.settings.service import Settings

TODO = (
    "Run it on Linux 3.17 or later, and in a container with a seccomp profile that lets seccomp(2) through, as the usual ones do."
)


def confinement(settings: Settings) -> Iterator[Finding]:
    """What holds for the user who asks; a failure only where the configuration requires that all of it holds."""
    try:
        found = probe_confinement()
    except DecoderBroken as broken:
        yield failed(str(broken), "Install what the lock file names: `uv sync`.")
        return
    if found.is_complete:
        yield good(sentence(found))
    elif settings.security.require_confinement:
        yield failed(sentence(found), f"{TODO} security.require_confinement: false runs without.")
    else:
        yield warning(sentence(found), f"{TODO} security.require_confinement: true refuses to run without.")
