"""What the routes call and how much they let in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.http.common.body_pieces import Pace
from application.delete_conversation import DeleteConversation
from application.estimate_request import EstimateRequest, Slots
from application.rename_speakers import RenameSpeakers
from application.search_transcripts import SearchTranscripts
from application.spool import Spool
from domain.call import CallKind
from domain.rate import EngineRate
from domain.voice_profiles import VoiceModel
from ports.api_keys import ApiKeys
from ports.blob_store import BlobReferences, BlobStore
from ports.call_metering import Amounts
from ports.clock import Clock
from ports.embedder import Embedder, LongTexts
from ports.jobs import JobStore
from ports.language_model import LanguageModel
from ports.outbound import RemoteAudio
from ports.result_pages import ResultPages
from ports.results import ConversationStore, EmbeddingStore, RecapStore, TranscriptStore
from ports.resumable_uploads import ResumableUploads
from ports.task_calendar import TaskCalendar
from ports.voice_profiles import VoiceProfiles
from ports.webhooks import WebhookStore


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A served model as `/v1/models` shows it. `created` in Unix seconds; `breaker` is closed, half_open or open."""

    id: str
    kind: CallKind
    owned_by: str
    created: int
    revision: str
    engine: str
    precision: str
    breaker: str = "closed"
    instructions: str = ""
    rate: EngineRate | None = None
    slow: str | None = None


@dataclass(frozen=True, slots=True)
class ModelReadiness:
    """Whether a model can answer now, and in words why not."""

    id: str
    kind: CallKind
    ready: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this service can take work: every model warm, and nothing in `problems` (store unreachable, draining)."""

    models: Sequence[ModelReadiness]
    problems: Sequence[str] = ()

    @property
    def ready(self) -> bool:
        return not self.problems and all(model.ready for model in self.models)


@dataclass(frozen=True, slots=True)
class Estimating:
    """The estimate of requests, where its uploads go meanwhile, and how many there may be at once."""

    estimate: EstimateRequest
    spool: Spool
    slots: Slots


def _whole(_thing: str) -> float:
    """A service of one process shares with nobody."""
    return 1.0


@dataclass(frozen=True, slots=True)
class HttpServices:
    """Ports and use cases behind the routes.

    `models` and `readiness` are asked on every request of their route and should answer within a second. `model_aliases`
    maps names that clients bring along (`whisper-1`) to ids of served models. `templates` are the recap templates.
    `budget_left` tells what a tenant may still use; None where nobody counts. `remote` judges addresses of
    recordings; None where none are fetched. `webhooks` None: nobody is told.
    `uploads` None: no uploads in pieces. `hosts` and `origins`: under which names, and for which pages of others, a service that
    asks for no keys answers beside loopback's own (`own_pages.py`).
    `share` counts one use of what all ingress replicas share, and tells this one's part of it, above 0 to 1.
    `text_of_ids` reads texts that come as token ids, raising InvalidRequest; None refuses
    them. `voice_model`: what kept voices are compared with; None where no voices are listened to.
    """

    jobs: JobStore
    transcripts: TranscriptStore
    recaps: RecapStore
    embeddings: EmbeddingStore
    conversations: ConversationStore
    blobs: BlobStore
    references: BlobReferences
    search: SearchTranscripts
    delete_conversation: DeleteConversation
    rename_speakers: RenameSpeakers
    voices: VoiceProfiles
    embedder: Embedder
    language_model: LanguageModel
    estimating: Estimating
    readiness: Callable[[], Awaitable[Readiness]]
    models: Callable[[], Awaitable[Sequence[ModelCard]]]
    clock: Clock
    pages: ResultPages
    calendar: TaskCalendar
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    templates: frozenset[str] = frozenset({"general"})
    budget_left: Callable[[str], Awaitable[Amounts]] | None = None
    keys: ApiKeys | None = None
    remote: RemoteAudio | None = None
    webhooks: WebhookStore | None = None
    uploads: ResumableUploads | None = None
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    text_of_ids: Callable[[Sequence[int]], str] | None = None
    share: Callable[[str], float] = _whole
    voice_model: VoiceModel | None = None


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds on what one request may bring or ask for. Sizes in bytes, times in seconds.

    Up to `inline_texts` texts of `inline_characters` in all are embedded at once, within `inline_embed_s`; more become a
    job of at most `text_characters`. A chat answer is waited for `inline_chat_s`. `wait_s` bounds `Prefer: wait`,
    `compatible_wait_s` how long OpenAI-compatible routes wait for their job. A body that is kept whole arrives within `body_s`;
    an upload pauses for at most `upload_idle_s` and brings `upload_bytes_per_s` in the long run. `requests_at_once` are
    answered, `requests_at_once_per_caller` of one key (or one address, where no key is needed); more wait `slot_wait_s` for a
    slot. `job_deadline_s` is how long a job may take from its submission; None sets no deadline. `requests_per_minute`: of
    one key over all ingress replicas, where the key has no number of its own; None for no bound. A key may also narrow
    `upload_bytes`.
    `max_priority`: the highest priority of a job, where the key has no number of its own.
    `long_texts`: what becomes of a text to embed that is longer than the model reads.
    `compatible_keep_s`: seconds that OpenAI-compatible routes keep what they made; None: as long as everything is kept.
    """

    upload_bytes: int = 512 * 1024 * 1024
    json_bytes: int = 8 * 1024 * 1024
    body_s: float = 30.0
    upload_idle_s: float = 30.0
    upload_bytes_per_s: float = 8192.0
    requests_at_once: int = 512
    requests_at_once_per_caller: int = 128
    slot_wait_s: float = 5.0
    queued_jobs: int = 1000
    retry_after_s: float = 5.0
    wait_s: float = 60.0
    compatible_wait_s: float = 300.0
    inline_texts: int = 64
    inline_characters: int = 32_768
    inline_embed_s: float = 5.0
    inline_chat_s: float = 60.0
    text_characters: int = 1_000_000
    heartbeat_s: float = 15.0
    event_poll_s: float = 0.5
    job_deadline_s: float | None = 86_400.0
    requests_per_minute: float | None = None
    max_priority: int = 0
    compatible_keep_s: float | None = None
    long_texts: LongTexts = LongTexts.POOL

    @property
    def pace(self) -> Pace:
        """How slow an upload may be."""
        return Pace(self.upload_idle_s, self.upload_bytes_per_s)
