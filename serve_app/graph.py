"""The Ray Serve graph: ingress and job worker in front of five warm models."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from ray import serve
from ray.serve import Application

from adapters.ray_serve.private_folders import make_private
from adapters.ray_serve.readiness import cluster_environment, listening_host, listening_host_if_known
from adapters.ray_serve.replicas import BatchedModelReplica, ConcurrentModelReplica, IngressReplica, WorkerReplica
from adapters.telemetry import build_telemetry
from ports.tracer import Tracer
from serve_app.compose import Composition
from serve_app.confinement import prepare_for_decoders, refuse_without_confinement
from serve_app.database import database_url
from serve_app.engines import (
    ServedModels,
    build_diarizer,
    build_embedder,
    build_language_model,
    build_reader,
    build_transcriber,
    fit_to_machine,
    resolve_models,
)
from serve_app.exposure import check_exposure, check_protection
from serve_app.ingress import build_ingress
from serve_app.settings import Settings

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


def bind(settings: Settings, models: ServedModels, options: Mapping[str, Mapping[str, Any]]) -> Application:
    """Bind the graph. `options` are Ray Serve's knobs per deployment, as in the file's `deployments`.

    The schema of the database is brought up to date here, once, before any worker starts.
    """
    from adapters.sql import SqlStore

    make_private(settings.data_folder)
    SqlStore.migrate(database_url(settings))
    handles: dict[str, Any] = {}
    observe = partial(_tracer, settings)
    if settings.transcriber.remote is None:
        transcriber = settings.transcriber
        build_one = partial(build_transcriber, transcriber, models.transcriber)
        handles["transcriber"] = _deployment(BatchedModelReplica, "Transcriber", options).bind(
            build_one, observe, transcriber.max_batch_size, transcriber.batch_wait_s
        )
    if settings.language_model.remote is None:
        build_llm = partial(build_language_model, settings.language_model, models.language_model)
        handles["language_model"] = _deployment(ConcurrentModelReplica, "LanguageModel", options).bind(build_llm, observe)
    if settings.embedder.remote is None:
        embedder = settings.embedder
        handles["embedder"] = _deployment(BatchedModelReplica, "Embedder", options).bind(
            partial(build_embedder, embedder, models.embedder), observe, embedder.max_batch_size, embedder.batch_wait_s
        )
    previous = settings.embedder.previous
    if previous is not None and models.previous_embedder is not None and previous.remote is None:
        like = {"PreviousEmbedder": options.get("Embedder", {}), **options}
        handles["previous_embedder"] = _deployment(BatchedModelReplica, "PreviousEmbedder", like).bind(
            partial(build_embedder, previous, models.previous_embedder), observe, previous.max_batch_size, previous.batch_wait_s
        )
    if settings.reader.is_served:
        # One call at a time: the processor is full with one, and each is answered as soon as it is read.
        read_one = partial(build_reader, settings.reader, models.reader)
        handles["reader"] = _deployment(BatchedModelReplica, "Reader", options).bind(read_one, observe, 1, 0.0)
    if models.diarizer is not None:
        diarizer = settings.diarizer
        handles["diarizer"] = _deployment(BatchedModelReplica, "Diarizer", options).bind(
            partial(build_diarizer, diarizer, models.diarizer), observe, diarizer.max_batch_size, diarizer.batch_wait_s
        )
    worker = _deployment(WorkerReplica, "JobWorker", options).bind(partial(_worker, settings, models), handles)
    ongoing = {"max_ongoing_requests": 2 * settings.http.connections, **options.get("Ingress", {})}
    return _deployment(IngressReplica, "Ingress", {"Ingress": ongoing}).bind(
        partial(_ingress, settings, models), {**handles, "worker": worker}, partial(_check, settings)
    )


def _deployment(replica: type, name: str, options: Mapping[str, Mapping[str, Any]]) -> Any:
    return serve.deployment(replica, name=name).options(**options.get(name, {}))


def _tracer(settings: Settings) -> Tracer:
    return build_telemetry(settings.telemetry.otlp_endpoint, service_name="wordloop-model").tracer


def _worker(settings: Settings, models: ServedModels, handles: dict[str, Any]) -> Any:
    prepare_for_decoders(settings)
    return Composition(settings, models, handles, "worker").worker()


def _ingress(settings: Settings, models: ServedModels, handles: dict[str, Any]) -> Any:
    prepare_for_decoders(settings)
    return build_ingress(Composition(settings, models, handles, "ingress"))


def _check(settings: Settings) -> None:
    """Refuse to serve beyond this machine without keys, whoever started Serve: `serve run` knows nothing of that rule."""
    host = listening_host()
    check_protection(cluster_environment(), host)
    check_exposure(settings, host)
