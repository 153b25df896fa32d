"""Every knob of the service in one typed model: the `args` of `serve_config.yaml`. Unknown keys are refused."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field

from adapters.guard import GuardSettings
from adapters.http.middleware.own_pages import HostName, Origin
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY
from serve_app.settings.health import HealthSettings
from serve_app.settings.models import (
    DiarizerSettings,
    EmbedderSettings,
    LanguageModelSettings,
    PriceSettings,
    ReaderSettings,
    RecapSettings,
    TranscriberSettings,
)
from serve_app.settings.openai import OpenAiSettings
from serve_app.settings.strict import Strict


class WorkerSettings(Strict):
    """`concurrency`: jobs at once per worker replica; `short_concurrency`: how many more there may be, of short recordings only:
    those of at most `short_audio_s` seconds. `windows_in_flight`: transcription calls at once per job.
    """

    concurrency: int = Field(default=4, ge=1)
    short_concurrency: int = Field(default=1, ge=0)
    short_audio_s: float = Field(default=300.0, gt=0)
    windows_in_flight: int = Field(default=16, ge=1)
    lease_s: float = Field(default=30.0, gt=0)
    max_attempts: int = Field(default=5, ge=1)
    max_running_per_tenant: int | None = Field(default=None, ge=1)


class SpeakerSettings(Strict):
    """`by_default`: find out who speaks also where a request says nothing of it."""

    by_default: bool = True


class VocabularySettings(Strict):
    """Words to expect, such as names and jargon, in every recording of a tenant; a request brings further ones."""

    tenants: dict[str, Annotated[str, Field(max_length=1024)]] = Field(default_factory=dict)


class LimitSettings(Strict):
    """What one request may bring. Bytes, seconds, counts. `upload_expires_s`: how long an upload in pieces is kept."""

    max_upload_bytes: int = 1024**3
    max_audio_s: float = 3 * 3600
    max_json_bytes: int = 8 * 1024**2
    max_queued_jobs: int = 1000
    max_queued_jobs_per_tenant: int | None = Field(default=None, ge=1)
    max_queue_wait_s: float | None = Field(default=None, gt=0)
    max_wait_s: float = 60.0
    upload_expires_s: float = Field(default=86_400.0, gt=0)


class HttpSettings(Strict):
    """How slow clients may be, and how many at once. Seconds, bytes, counts.

    `header_s`: for the head of a request; `body_s`: for a body that is no recording; `upload_idle_s`: between two pieces of a
    recording, which brings `upload_bytes_per_s` in the long run; `keep_alive_s`: between two requests. `connections`: of all
    clients, `connections_per_client`: of one address before it hears 429. `requests_at_once`: answered by one ingress replica,
    `requests_at_once_per_caller`: of one key, or of one address where no key is needed; more wait `slot_wait_s` for a slot.
    """

    header_s: float = Field(default=10.0, gt=0)
    body_s: float = Field(default=30.0, gt=0)
    upload_idle_s: float = Field(default=30.0, gt=0)
    upload_bytes_per_s: float = Field(default=8192.0, gt=0)
    keep_alive_s: float = Field(default=30.0, gt=0)
    connections: int = Field(default=2048, ge=16)
    connections_per_client: int = Field(default=512, ge=1)
    requests_at_once: int = Field(default=512, ge=1)
    requests_at_once_per_caller: int = Field(default=128, ge=1)
    slot_wait_s: float = Field(default=5.0, gt=0, validation_alias=AliasChoices("slot_wait_s", "place_wait_s"))


class OutboundSettings(Strict):
    """Requests to addresses that callers name: recordings by `audio_url`, webhooks. https to public addresses on `ports` only.

    `trusted_hosts`: `host:port` of servers of the operator's own, where plain http and private addresses are allowed too; whoever
    can make a request can reach these. `fetch_s`, `idle_s`: seconds for a whole recording, and between two pieces of it.
    """

    ports: tuple[int, ...] = (443,)
    trusted_hosts: tuple[str, ...] = ()
    fetch_s: float = Field(default=900.0, gt=0)
    idle_s: float = Field(default=30.0, gt=0)


class SecuritySettings(Strict):
    """`require_keys`: nobody is served without a key (`wordloop keys create`); needed to listen on anything but loopback.

    `requests_per_minute`: of one key, over all ingress replicas; None for no bound. `require_confinement`: nothing starts where a
    decoder that was taken over could do more than compute (`wordloop doctor` says what holds; docs/adr/0004). `max_priority`: the
    highest that a job may be asked for with, where its key has no number of its own. While no key is needed, `allowed_hosts`
    (names without ports) and pages of `trusted_origins` (`https://name:port`) may ask beside loopback's
    names and the service's own pages.
    """

    require_keys: bool = False
    require_confinement: bool = False
    requests_per_minute: float | None = Field(default=None, ge=1)
    max_priority: int = Field(default=0, ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)
    allowed_hosts: tuple[HostName, ...] = ()
    trusted_origins: tuple[Origin, ...] = ()


class TelemetrySettings(Strict):
    """`otlp_endpoint`: base address of a collector that speaks OTLP over HTTP; None sends nothing. `metrics_host`: the address of
    this machine under which the page for Prometheus can be reached; with it Ray's own ports, which ask for a token.
    `tenants_shown`: how many tenants one process counts by name, beside those of `guard.budget.tenants`; the rest are `other`.
    """

    otlp_endpoint: str | None = None
    metrics_host: str = "127.0.0.1"
    tenants_shown: int = Field(default=50, ge=0)


class DatabaseSettings(Strict):
    """`url_env` names the environment variable that holds `postgresql://USER:PASSWORD@HOST/DATABASE`; None keeps rows in SQLite.

    The address carries a password, so it never stands in a file.
    """

    url_env: str | None = None


class CallCacheSettings(Strict):
    """Where answers of model calls are kept: with the rows, or in the Redis server whose address (`redis://...`, `rediss://...`,
    `unix://...`) stands in the environment variable that `redis_url_env` names.
    """

    redis_url_env: str | None = None


class S3Settings(Strict):
    """An S3-compatible object store for recordings. `endpoint_url` None means Amazon's own; keys are named by their variables.

    `access_key_env` and `secret_key_env` None: what the machine offers (a role, the SDK's own variables, a profile).
    """

    bucket: str = Field(min_length=3, max_length=63)
    endpoint_url: str | None = None
    region: str | None = None
    prefix: str = ""
    access_key_env: str | None = None
    secret_key_env: str | None = None


class StorageSettings(Strict):
    """Where recordings lie: `s3`, or None for the data folder. `keep_free_bytes`: what an upload must leave free on the disk.

    `max_bytes_per_tenant`: what the recordings that one tenant keeps may take; None for no bound.
    """

    s3: S3Settings | None = None
    keep_free_bytes: int = Field(default=512 * 1024**2, ge=0)
    max_bytes_per_tenant: int | None = Field(default=None, ge=1)


class RetentionSettings(Strict):
    """Days from a job's end until its conversation is deleted; None keeps it. `tenants` maps a tenant to its own days."""

    days: float | None = Field(default=None, gt=0)
    tenants: dict[str, Annotated[float, Field(gt=0)] | None] = Field(default_factory=dict)


class Settings(Strict):
    """The arguments of the application. `data_dir` None means WORDLOOP_DATA_DIR or the user's data folder."""

    data_dir: Path | None = None
    database: DatabaseSettings = DatabaseSettings()
    call_cache: CallCacheSettings = CallCacheSettings()
    storage: StorageSettings = StorageSettings()
    retention: RetentionSettings = RetentionSettings()
    transcriber: TranscriberSettings = TranscriberSettings()
    language_model: LanguageModelSettings = LanguageModelSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    reader: ReaderSettings = ReaderSettings()
    diarizer: DiarizerSettings = DiarizerSettings()
    recap: RecapSettings = RecapSettings()
    replica_hour_usd: PriceSettings = PriceSettings()
    speakers: SpeakerSettings = SpeakerSettings()
    vocabulary: VocabularySettings = VocabularySettings()
    worker: WorkerSettings = WorkerSettings()
    limits: LimitSettings = LimitSettings()
    guard: GuardSettings = GuardSettings()
    health: HealthSettings = HealthSettings()
    http: HttpSettings = HttpSettings()
    outbound: OutboundSettings = OutboundSettings()
    openai: OpenAiSettings = OpenAiSettings()
    security: SecuritySettings = SecuritySettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def data_folder(self) -> Path:
        """Where jobs, results and audio live."""
        return (self.data_dir or default_data_dir()).expanduser().absolute()


def default_data_dir() -> Path:
    """Return $WORDLOOP_DATA_DIR, else the user's data folder by the XDG rules."""
    named = os.environ.get("WORDLOOP_DATA_DIR")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "wordloop"
