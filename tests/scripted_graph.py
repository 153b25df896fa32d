"""The whole application on a cluster, over scripted engines: `serve deploy` comes in here, as it does in `serve_app.graph`.

The models are named in the configuration (`transcriber.model: scripted-2`), so that a changed file is a changed model. An engine
reads its orders from the folder in WORDLOOP_TEST_ORDERS: a file `hang` there is taken by the next pass of a transcriber, which
then never ends; a file `column` by the next deployment, which then adds one to a table.
"""

import json
import os
import secrets
import threading
from pathlib import Path
from typing import Any

from ray.serve import Application
from sqlalchemy import create_engine, text

from adapters.scripted import TimedBatches, TimedWriter
from domain.call import ModelIdentity, Usage
from domain.rate import EngineRate
from ports.model_backend import (
    DiarizeRequest,
    EmbedRequest,
    FindRequest,
    GenerateRequest,
    ModelRequest,
    RawOutput,
    TranscribeRequest,
)
from serve_app.composition.database import database_url
from serve_app.engines.served_models import ServedModels
from serve_app.graph.application import EngineBuilders, bind
from serve_app.settings.service import Settings
from tests.estimating import heard, written
from tests.in_process_service import placed, read_or_judged, silent
from tests.scripted_orders import DIARIZER_LOADS_S, DIMENSIONS, ORDERS

HEARS = EngineRate(6.0)
"""Seconds of sound in a second: a clip of six seconds takes one."""
PORTS = ("transcriber", "language_model", "embedder", "reader", "diarizer")


def build(arguments: Settings) -> Application:
    """Build the application from `args`. Its deployments take their options from the file, as Serve reads them."""
    _add_a_column(arguments)
    engines = EngineBuilders(transcriber=hearing, language_model=writing, embedder=placing, reader=reading, diarizer=listening)
    return bind(arguments, served(arguments), {}, engines)


def served(settings: Settings) -> ServedModels:
    return ServedModels(
        *(ModelIdentity(f"owner/{port}", getattr(settings, port).model, "scripted-1", "float16") for port in PORTS)
    )


def _add_a_column(settings: Settings) -> None:
    """Do to the schema what every migration does, under the processes of the version before, where a file `column` asks so."""
    order = Path(os.environ[ORDERS]) / "column"
    if order.exists():
        order.unlink()
        engine = create_engine(database_url(settings).replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE jobs ADD COLUMN later_{secrets.token_hex(4)} TEXT"))
        engine.dispose()


class Hearing(TimedBatches):
    def run(self, batch: Any) -> list[RawOutput]:
        measured = batch[0] is self.sample()[0]  # a replica that starts takes no orders
        if not measured and "hang" in os.listdir(os.environ[ORDERS]):
            order = Path(os.environ[ORDERS]) / "hang"
            order.rename(order.with_name(f"hung-{os.getpid()}"))
            threading.Event().wait()
        return super().run(batch)


def hearing(_settings: Any, identity: ModelIdentity) -> TimedBatches:
    def reply(request: ModelRequest) -> RawOutput:
        said = heard(request)
        return RawOutput({**said.payload, "revision": identity.revision}, said.usage)

    return Hearing(reply, HEARS, TranscribeRequest(bytes(32_000), {"language": "en"}), load_s=0.5)


def writing(_settings: Any, _identity: ModelIdentity) -> TimedWriter:
    return TimedWriter(wrote, EngineRate(4000.0, 400.0))


def placing(_settings: Any, _identity: ModelIdentity) -> TimedBatches:
    return TimedBatches(placed(DIMENSIONS), EngineRate(2000.0), EmbedRequest(("usual",), {"dimensions": DIMENSIONS}))


def reading(_settings: Any, _identity: ModelIdentity) -> TimedBatches:
    return TimedBatches(read_or_judged, EngineRate(2000.0), FindRequest((("", "We ship it."),), {}))


def listening(_settings: Any, _identity: ModelIdentity) -> TimedBatches:
    return TimedBatches(silent, EngineRate(100.0), DiarizeRequest(bytes(32_000), {}), load_s=DIARIZER_LOADS_S)


def wrote(request: ModelRequest) -> RawOutput:
    """Any list as long as its schema asks for (a replica measures itself so), else as the tests' writer does."""
    assert isinstance(request, GenerateRequest)
    if request.schema is None or "properties" not in request.schema:
        return RawOutput({"text": json.dumps(["go"]), "finish_reason": "stop"}, Usage(input_tokens=80, output_tokens=4))
    return written(request)
