"""The service's HTTP application on uvicorn, the embedder in the same process, without Ray: `bare_ingress DATA_DIR CONFIG`."""

import socket
import sys
from functools import cached_property
from pathlib import Path

import uvicorn

from adapters.guard import GuardedEmbedder
from adapters.in_process import InProcessBackend
from application.text_groups import TEXTS_PER_CALL
from serve_app.composition.composition import Composition
from serve_app.composition.ingress import build_ingress
from serve_app.engines.replicas import build_embedder
from serve_app.engines.served_models import fit_to_machine, resolve_models
from serve_app.settings.serve_file import load_config


class BareComposition(Composition):
    """As an ingress replica's, but the embedder is here."""

    @cached_property
    def embedder(self) -> GuardedEmbedder:
        own, identity = self.settings.embedder, self.models.embedder
        engine = build_embedder(own, identity)
        engine.warm_up()
        backend = InProcessBackend(engine, identity, own.max_batch_size)
        return GuardedEmbedder(backend, self.guard, own.dimensions, TEXTS_PER_CALL)


def main(data: Path, config: Path) -> None:
    """Serve until ended; the address is printed first."""
    settings, _ = fit_to_machine(load_config(config).settings.model_copy(update={"data_dir": data}))
    app = build_ingress(BareComposition(settings, resolve_models(settings), {}, "bare"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
