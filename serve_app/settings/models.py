"""The groups of settings that say which models answer, and how much a recap asks of them."""

from typing import Literal

from pydantic import Field

from application.recap import settings as recap
from ports.embedder import LongTexts
from serve_app.settings.descriptors import CosineSettings, ScoreSettings, VoiceSettings
from serve_app.settings.strict import Strict


class RemoteSettings(Strict):
    """An OpenAI-compatible server that answers in place of this cluster's own replicas.

    `api_key_env` names the environment variable that holds the key; the key itself never stands in a file.
    """

    base_url: str
    model: str
    revision: str = "unknown"
    api_key_env: str | None = None


class TranscriberSettings(Strict):
    """`model`: a bundled name, a folder, or `hub:owner/name@revision`. `batch_wait_s`: how long a batch gathers. `scores` None:
    what the manifest says of a bundled model; of any other they decide nothing, so measure them and say so.
    """

    model: str = "whisper-base"
    device: Literal["cpu", "cuda"] = "cpu"
    compute_type: str = "int8"
    threads: int = 2
    max_batch_size: int = Field(default=8, ge=1)
    batch_wait_s: float = Field(default=0.05, ge=0)
    scores: ScoreSettings | None = None
    remote: RemoteSettings | None = None


class LanguageModelSettings(Strict):
    """`engine`, `device` and `dtype` on `auto` are decided from the machine (`wordloop doctor` says how).

    `model`: a bundled name without a precision takes the one that its engine is fastest with. `context_tokens`: prompt and answer
    together. `max_num_seqs`: requests at once. `kv_cache_gib`: memory of vLLM's cache on CPU, in GiB; llama.cpp's holds
    `context_tokens` for each of its requests (28 KB a token of the bundled model).
    """

    engine: Literal["auto", "vllm", "llama-cpp"] = "auto"
    model: str = "qwen2.5-coder-1.5b-instruct"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    context_tokens: int = Field(default=4096, ge=512)
    max_num_seqs: int = Field(default=4, ge=1)
    max_queued_requests: int = Field(default=64, ge=1)
    kv_cache_gib: int = Field(default=1, ge=1)
    threads: int = 2
    enforce_eager: bool = True
    gpu_memory_utilization: float = 0.85
    tensor_parallel_size: int = 1
    remote: RemoteSettings | None = None


class EmbedsWith(Strict):
    """`engine` auto: CTranslate2 for BERT models on CPU, which computes the same in a fifth of the memory; sentence-transformers
    for all others. `batch_size`: texts per forward pass; `max_batch_size`: calls gathered into one. `long_texts`: what
    POST /v1/embeddings does with a text longer than the model reads: cut it and pool its vectors, or refuse it. `cosines`
    None: what the manifest says of a bundled model; of any other the cosines are taken as they are, so measure it and say so.
    """

    engine: Literal["auto", "sentence-transformers", "ctranslate2"] = "auto"
    model: str = "all-minilm-l6-v2"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 2
    batch_size: int = Field(default=32, ge=1)
    max_batch_size: int = Field(default=16, ge=1)
    batch_wait_s: float = Field(default=0.005, ge=0)
    dimensions: int = 384
    long_texts: LongTexts = LongTexts.POOL
    cosines: CosineSettings | None = None
    remote: RemoteSettings | None = None


class EmbedderSettings(EmbedsWith):
    """The model that embeds. `previous`: the one it takes the place of, which goes on answering searches until every passage of a
    tenant is embedded anew; null once `wordloop_passages_to_embed` is 0.
    """

    previous: EmbedsWith | None = None


class ReaderSettings(Strict):
    """The item finder, always of our own: no server has a route for it, so `remote` can be nothing but null.

    `engine`: `trained` is the reader that comes with the service; `language-model` asks the language model instead, and loads no
    reader. `auto` takes the trained one, which finds more than any model that was measured (docs/adr/0020).

    `model`: the trunk that the trained weights were made for. `stretch_tokens`: about how many tokens of a conversation one call
    asks about; longer calls hold up those of other jobs.
    """

    engine: Literal["auto", "trained", "language-model"] = "auto"
    model: str = "qwen2.5-coder-0.5b-instruct:trunk14-int8"
    threads: int = 2
    stretch_tokens: int = Field(default=1536, ge=256, le=4096)
    remote: None = None

    @property
    def is_served(self) -> bool:
        """Whether a reader runs here; the language model finds otherwise."""
        return self.engine != "language-model"


class DiarizerSettings(Strict):
    """Who tells speakers apart, always of our own: no server has a route for it, so `remote` can be nothing but null.

    `enabled` false loads nothing; recordings are then transcribed without speakers. `max_batch_size`: windows of any recordings
    in one pass. `voices` None: what the manifest says of a bundled model; any other has to say it here.
    """

    enabled: bool = True
    model: str = "speaker-networks"
    threads: int = Field(default=2, ge=1)
    max_batch_size: int = Field(default=4, ge=1)
    batch_wait_s: float = Field(default=0.02, ge=0)
    voices: VoiceSettings | None = None
    remote: None = None


_RECAP = recap.RecapSettings()


class RecapSettings(Strict):
    """How much the language model reads and writes for a recap.

    `chapter_words`: words of a chapter that it reads, the most telling lines first; null for all. `write_items`: whether it
    words decisions, tasks and questions, `items_per_call` at a time; they are quoted otherwise.
    """

    chapter_words: int | None = Field(default=_RECAP.chapter_words, ge=60)
    write_items: bool = _RECAP.write_items
    items_per_call: int = Field(default=_RECAP.items_per_call, ge=1, le=8)


TWO_CORES_USD = 0.08
"""An hour of a replica of the embedded default: two processor cores at 0.04 (`adapters/guard/prices.py` says whence)."""


class PriceSettings(Strict):
    """US dollars for an hour of one replica: its share of the machine, as `ray_actor_options` say. Set your own.

    Budgets in money, estimates and metrics count by it; a remote model costs what its provider asks.
    """

    transcriber: float = Field(default=TWO_CORES_USD, ge=0)
    language_model: float = Field(default=TWO_CORES_USD, ge=0)
    embedder: float = Field(default=TWO_CORES_USD, ge=0)
    reader: float = Field(default=TWO_CORES_USD, ge=0)
    diarizer: float = Field(default=TWO_CORES_USD, ge=0)
