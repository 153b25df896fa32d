"""Every knob of the service in one typed model. Unknown keys are refused, wherever they stand.

`serve_config.yaml` is read by `serve run` and by `wordloop up` alike: its top level is Ray Serve's own schema, which
accepts any key silently, so `load_config` holds each level against that schema; `args` is `Settings`.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.guard import GuardSettings
from serve_app.errors import ConfigurationInvalid


class Strict(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RemoteSettings(Strict):
    """An OpenAI-compatible server that answers in place of this cluster's own replicas.

    `api_key_env` names the environment variable that holds the key; the key itself never stands in a file.
    """

    base_url: str
    model: str
    revision: str = "unknown"
    api_key_env: str | None = None


class TranscriberSettings(Strict):
    """`model`: a bundled name, a folder, or `hub:owner/name@revision`. `batch_wait_s`: how long a batch gathers."""

    model: str = "whisper-base"
    device: Literal["cpu", "cuda"] = "cpu"
    compute_type: str = "int8"
    threads: int = 2
    max_batch_size: int = Field(default=8, ge=1)
    batch_wait_s: float = Field(default=0.05, ge=0)
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


class EmbedderSettings(Strict):
    """`engine` auto: CTranslate2 for BERT models on CPU, which computes the same in a fifth of the memory; sentence-transformers
    for all others. `batch_size`: texts per forward pass; `max_batch_size`: calls gathered into one.
    """

    engine: Literal["auto", "sentence-transformers", "ctranslate2"] = "auto"
    model: str = "all-minilm-l6-v2"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 2
    batch_size: int = Field(default=32, ge=1)
    max_batch_size: int = Field(default=16, ge=1)
    batch_wait_s: float = Field(default=0.005, ge=0)
    dimensions: int = 384
    remote: RemoteSettings | None = None


class WorkerSettings(Strict):
    """`concurrency`: jobs at once per worker replica; `windows_in_flight`: transcription calls at once per job."""

    concurrency: int = Field(default=4, ge=1)
    windows_in_flight: int = Field(default=16, ge=1)
    lease_s: float = Field(default=30.0, gt=0)
    max_attempts: int = Field(default=5, ge=1)
    max_running_per_tenant: int | None = Field(default=None, ge=1)


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

    `requests_per_minute`: of one key at one ingress replica; None for no bound.
    """

    require_keys: bool = False
    requests_per_minute: float | None = Field(default=None, ge=1)


class TelemetrySettings(Strict):
    """`otlp_endpoint`: base address of a collector that speaks OTLP over HTTP; None sends nothing."""

    otlp_endpoint: str | None = None


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
    tenants: dict[str, Annotated[float, Field(gt=0)] | None] = {}


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
    worker: WorkerSettings = WorkerSettings()
    limits: LimitSettings = LimitSettings()
    guard: GuardSettings = GuardSettings()
    outbound: OutboundSettings = OutboundSettings()
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
    return Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")) / "wordloop"


class ServeFile(Strict):
    """A parsed `serve_config.yaml`: the application's settings beside Ray Serve's own knobs."""

    settings: Settings
    proxy_location: str
    http_options: dict[str, Any]
    logging_config: dict[str, Any]
    deployments: dict[str, dict[str, Any]]
    environment: dict[str, str]


def load_config(path: Path) -> ServeFile:
    """Read and check a config file. Raises ConfigurationInvalid with every finding, each with its place."""
    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationInvalid(f"{path}: {error}") from error
    problems = unknown_keys(raw)
    if problems:
        raise ConfigurationInvalid(f"{path}: " + "; ".join(problems))
    if len(raw["applications"]) != 1:
        raise ConfigurationInvalid(f"{path}: exactly one application is expected")
    application = raw["applications"][0]
    return ServeFile(
        settings=parse_settings(application.get("args", {}), str(path)),
        proxy_location=raw.get("proxy_location", "HeadOnly"),
        http_options=raw.get("http_options", {}),
        logging_config=raw.get("logging_config", {}),
        deployments={entry["name"]: _options(entry) for entry in application.get("deployments", [])},
        environment=(application.get("runtime_env") or {}).get("env_vars", {}),
    )


def parse_settings(arguments: dict[str, Any], place: str) -> Settings:
    """Turn `args` into Settings. Raises ConfigurationInvalid naming each bad key and why."""
    try:
        return Settings.model_validate(arguments)
    except ValidationError as error:
        findings = (f"args.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigurationInvalid(f"{place}: " + "; ".join(findings)) from error


def unknown_keys(raw: Any) -> list[str]:
    """Return a line per key that Ray Serve's schema does not know; Serve itself drops them without a word."""
    from ray.serve.config import HTTPOptions
    from ray.serve.schema import (
        DeploymentSchema,
        HTTPOptionsSchema,
        LoggingConfig,
        ServeApplicationSchema,
        ServeDeploySchema,
    )

    if not isinstance(raw, dict) or not isinstance(raw.get("applications"), list):
        return ["a mapping with a list of applications is expected"]
    http_fields = set(HTTPOptionsSchema.model_fields) | set(HTTPOptions.model_fields)
    findings = _surplus(raw, set(ServeDeploySchema.model_fields), "")
    findings += _surplus(raw.get("http_options"), http_fields, "http_options.")
    findings += _surplus(raw.get("logging_config"), set(LoggingConfig.model_fields), "logging_config.")
    for application in raw["applications"]:
        findings += _surplus(application, set(ServeApplicationSchema.model_fields), "applications[].")
        for entry in application.get("deployments") or []:
            place = f"deployments[{entry.get('name', '?')}]."
            findings += _surplus(entry, set(DeploymentSchema.model_fields), place)
    return findings


def _surplus(section: Any, known: set[str], place: str) -> list[str]:
    if section is None:
        return []
    if not isinstance(section, dict):
        return [f"{place or 'the file'}: a mapping is expected"]
    return [f"{place}{key}: no such setting" for key in section if key not in known]


def _options(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "name"}
