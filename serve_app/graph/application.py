"""The Ray Serve graph: ingress and job worker in front of five warm models."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ray import serve
from ray.serve import Application

from adapters.ray_serve.health_rules import HealthRules
from adapters.ray_serve.private_folders import make_private
from adapters.ray_serve.readiness import cluster_environment, listening_host, listening_host_if_known
from adapters.ray_serve.replicas import BatchedModelReplica, ConcurrentModelReplica
from adapters.ray_serve.service_replicas import IngressReplica, WorkerReplica
from adapters.telemetry import build_telemetry
from ports.tracer import Tracer
from serve_app.composition.composition import Composition
from serve_app.composition.database import database_url
from serve_app.composition.ingress import build_ingress
from serve_app.composition.worker import build_worker
from serve_app.engines.replicas import build_diarizer, build_embedder, build_language_model, build_reader, build_transcriber
from serve_app.engines.served_models import ServedModels, fit_to_machine, resolve_models
from serve_app.protection.confinement import prepare_for_decoders, refuse_without_confinement
from serve_app.protection.exposure import check_exposure, check_protection
from serve_app.settings.health import ModelName
from serve_app.settings.model_ports import DEPLOYMENTS
from serve_app.settings.service import Settings

APPLICATION = "wordloop"
log = logging.getLogger("wordloop")


def build(arguments: Settings) -> Application:
    """Build the application from the `args` of serve_config.yaml; `serve run serve_config.yaml` comes in here.

    Raises StartFailed beyond loopback when Ray lacks what `wordloop up` would have set.
    """
    check_protection(cluster_environment(), listening_host_if_known())
    refuse_without_confinement(arguments)
    settings, choice = fit_to_machine(arguments)
    if choice is not None:
        log.info("language model: %s on %s, %s (%s)", choice.engine, choice.device, choice.model, choice.why)
    return bind(settings, resolve_models(settings), {})


@dataclass(frozen=True)
class EngineBuilders:
    """How the engine of each model is built inside its replica, from its settings and its identity."""

    transcriber: Callable[..., Any] = build_transcriber
    language_model: Callable[..., Any] = build_language_model
    embedder: Callable[..., Any] = build_embedder
    reader: Callable[..., Any] = build_reader
    diarizer: Callable[..., Any] = build_diarizer


def bind(
    settings: Settings,
    models: ServedModels,
    options: Mapping[str, Mapping[str, Any]],
    engines: EngineBuilders = EngineBuilders(),
) -> Application:
    """Bind the graph. `options` are Ray Serve's knobs per deployment, as in the file's `deployments`.

    The schema of the database is brought up to date here, once, before any worker starts.
    """
    from adapters.sql import SqlStore

    make_private(settings.data_folder)
    SqlStore.migrate(database_url(settings))
    handles = _models(settings, models, options, engines)
    worker = _deployment(WorkerReplica, "JobWorker", options).bind(partial(_worker, settings, models), handles)
    ongoing = {"max_ongoing_requests": 2 * settings.http.connections, **options.get("Ingress", {})}
    return _deployment(IngressReplica, "Ingress", {"Ingress": ongoing}).bind(
        partial(_ingress, settings, models), {**handles, "worker": worker}, partial(_check, settings)
    )


def _models(
    settings: Settings, models: ServedModels, options: Mapping[str, Mapping[str, Any]], engines: EngineBuilders
) -> dict[str, Any]:
    """Bind a deployment for each model that is served here, by the name of its port."""
    observe = partial(_tracer, settings)

    def health_of(port: ModelName) -> HealthRules:
        return settings.health.rules(port, settings.guard.timeouts)

    def bound(port: ModelName, replica: type, *batching: float) -> Any:
        build = partial(getattr(engines, port), getattr(settings, port), getattr(models, port))
        return _deployment(replica, DEPLOYMENTS[port], options).bind(build, observe, health_of(port), *batching)

    handles: dict[str, Any] = {}
    if settings.transcriber.remote is None:
        batching = settings.transcriber.max_batch_size, settings.transcriber.batch_wait_s
        handles["transcriber"] = bound("transcriber", BatchedModelReplica, *batching)
    if settings.language_model.remote is None:
        handles["language_model"] = bound("language_model", ConcurrentModelReplica)
    if settings.embedder.remote is None:
        batching = settings.embedder.max_batch_size, settings.embedder.batch_wait_s
        handles["embedder"] = bound("embedder", BatchedModelReplica, *batching)
    previous = settings.embedder.previous
    if previous is not None and models.previous_embedder is not None and previous.remote is None:
        build = partial(engines.embedder, previous, models.previous_embedder)
        like = {"PreviousEmbedder": options.get("Embedder", {}), **options}
        handles["previous_embedder"] = _deployment(BatchedModelReplica, "PreviousEmbedder", like).bind(
            build, observe, health_of("embedder"), previous.max_batch_size, previous.batch_wait_s
        )
    if settings.reader.is_served:
        # One call at a time: the processor is full with one, and each is answered as soon as it is read.
        handles["reader"] = bound("reader", BatchedModelReplica, 1, 0.0)
    if models.diarizer is not None:
        batching = settings.diarizer.max_batch_size, settings.diarizer.batch_wait_s
        handles["diarizer"] = bound("diarizer", BatchedModelReplica, *batching)
    return handles


def _deployment(replica: type, name: str, options: Mapping[str, Mapping[str, Any]]) -> Any:
    return serve.deployment(replica, name=name).options(**options.get(name, {}))


def _tracer(settings: Settings) -> Tracer:
    return build_telemetry(settings.telemetry.otlp_endpoint, service_name="wordloop-model").tracer


def _worker(settings: Settings, models: ServedModels, handles: dict[str, Any]) -> Any:
    prepare_for_decoders(settings)
    return build_worker(Composition(settings, models, handles, "worker"))


def _ingress(settings: Settings, models: ServedModels, handles: dict[str, Any]) -> Any:
    prepare_for_decoders(settings)
    return build_ingress(Composition(settings, models, handles, "ingress"))


def _check(settings: Settings) -> None:
    """Refuse to serve beyond this machine without keys, whoever started Serve: `serve run` knows nothing of that rule."""
    host = listening_host()
    check_protection(cluster_environment(), host)
    check_exposure(settings, host)
