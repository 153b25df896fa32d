"""Keys that callers show: whose they are, what they allow, and when they end."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

SHAPE = re.compile(r"wl_(?P<id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
"""`wl_`, a public id of 48 bits, and 256 random bits in URL-safe base64: secret scanners can be taught the prefix."""


class Scope(StrEnum):
    """What a key allows. `admin` manages receivers of webhooks; it does not include the others."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one key may do; None leaves it to the service's own limit.

    `requests_per_minute` and `max_priority` (the highest that a job may be asked for with) count in place of the service's.
    `upload_bytes` of one recording count where they are fewer.
    """

    requests_per_minute: float | None = None
    upload_bytes: int | None = None
    max_priority: int | None = None


NO_LIMITS = KeyLimits()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. Times are Unix seconds; `expires_at` None never ends by itself."""

    id: str
    tenant: str
    scopes: frozenset[Scope]
    name: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    limits: KeyLimits = NO_LIMITS

    def live(self, now: float) -> bool:
        """Whether the key opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_key() -> tuple[str, str]:
    """Return the public id and the whole key, of which only `digest_of` is ever stored."""
    key_id = secrets.token_hex(6)
    return key_id, f"wl_{key_id}_{secrets.token_urlsafe(32)}"


def id_of(key: str) -> str | None:
    """Return the public id in a key; None for what has not the shape of one."""
    match = SHAPE.fullmatch(key)
    return match["id"] if match else None


def digest_of(key: str) -> str:
    """SHA-256 in hex. A slow hash would add nothing: the key holds 256 random bits, so nobody guesses it from its digest."""
    return hashlib.sha256(key.encode()).hexdigest()


def fits(key: str, digest: str) -> bool:
    """Whether the digest is this key's, compared in constant time."""
    return hmac.compare_digest(digest_of(key), digest)
