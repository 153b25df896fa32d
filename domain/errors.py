"""Everything that can go wrong, as kinds a caller can act on.

Every error keeps its data positional, in `args`, so that it survives pickle on its way between processes.
`transient` says whether trying the same thing again can help; the HTTP status is chosen at the gateway.
"""

from typing import ClassVar


class WordloopError(Exception):
    """Root of all errors of this service. `args[0]` is a sentence for people, without content or secrets."""

    transient: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        return str(self.args[0]) if self.args else type(self).__name__

    def __str__(self) -> str:
        return self.detail


class InvalidRequest(WordloopError):
    """The caller asked for something that has no meaning."""


class NotFound(WordloopError):
    """No such thing, or not this caller's."""


class Gone(WordloopError):
    """It was here and has been deleted or has expired."""


class InvalidAudio(WordloopError):
    """The bytes are not audio that can be decoded."""


class UnsupportedAudio(WordloopError):
    """The bytes are of a kind that is never accepted: a playlist, a script, a picture, an archive."""


class TooLarge(WordloopError):
    """More bytes or more seconds of audio than the limit."""


class AddressRefused(WordloopError):
    """An address that this service does not call: not https, not public, or not an address at all."""


class SourceRefused(WordloopError):
    """The server behind an address said no, or said something that is no recording."""


class OffsetConflict(WordloopError):
    """A piece of an upload that does not begin where the upload ends."""


class UploadIncomplete(WordloopError):
    """An upload that still lacks bytes was named as a recording."""


class ChecksumMismatch(WordloopError):
    """A piece of an upload is not what its checksum says; nothing of it was kept."""


class IdempotencyMismatch(WordloopError):
    """The same idempotency key came with another body."""


class QuotaExceeded(WordloopError):
    """The recordings that a tenant keeps take all the room it has; nothing was stored."""


class WithRetryAfter(WordloopError):
    """An error whose second argument says after how many seconds trying again makes sense."""

    transient = True

    @property
    def retry_after_s(self) -> float | None:
        return float(self.args[1]) if len(self.args) > 1 and self.args[1] is not None else None


class UploadBusy(WithRetryAfter):
    """Another request adds to this upload just now."""


class SourceUnavailable(WithRetryAfter):
    """The server behind an address could not be reached, was too slow, or failed itself."""


class QueueFull(WithRetryAfter):
    """The job queue takes no more work for now; nothing was stored."""


class StillRunning(WithRetryAfter):
    """What was asked has to wait for running work to stop; that work was told to."""


class RateLimited(WithRetryAfter):
    """A rate limit was met, ours or a provider's."""


class ModelError(WordloopError):
    """A model call did not give a usable answer."""


class ModelUnavailable(ModelError, WithRetryAfter):
    """The backend can not be reached, its replica died, or it answered 5xx."""

    transient = True


class ModelOverloaded(ModelError, WithRetryAfter):
    """The backend refuses work for now because its queue is full."""

    transient = True


class CircuitOpen(ModelError, WithRetryAfter):
    """The breaker of this model and backend is open: no call was made."""

    transient = True


class ModelTimeout(ModelError):
    """The backend did not answer in the time given to one attempt."""

    transient = True


class ModelRejected(ModelError):
    """The backend refused this input for good."""


class InvalidModelOutput(ModelError):
    """The answer of the model broke a rule of shape, length or content; the detail names the rule."""

    transient = True


class BudgetExceeded(WordloopError):
    """A budget does not cover the call. Arguments: detail, what (`audio_seconds`, `tokens`, `money`), left."""

    @property
    def what(self) -> str:
        return str(self.args[1])

    @property
    def left(self) -> float:
        return float(self.args[2])


class DeadlineExceeded(WordloopError):
    """The deadline passed, or what is left of it is too short to start."""


class JobCancelled(WordloopError):
    """The job was cancelled; its work stops here."""


class LeaseLost(WordloopError):
    """Another worker holds the job now; this one stops and writes nothing."""


class StorageFailed(WordloopError):
    """The store can not keep or read something just now."""

    transient = True


class StorageFull(StorageFailed):
    """There is no room left to keep it: a full disk, or a quota that is reached. Nothing was stored."""
