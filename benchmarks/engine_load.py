"""How long each engine takes to load and warm by itself, in a fresh process with nothing else running."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serve_app.settings.serve_file import config_path

LOAD_TIMEOUT_S = 1800

PROGRAM = """
import asyncio, sys
from serve_app import engines
from serve_app.settings.serve_file import load_config
from pathlib import Path

def main():
    settings, _ = engines.fit_to_machine(load_config(Path(sys.argv[2])).settings)
    models = engines.resolve_models(settings)
    port = sys.argv[1]
    built = getattr(engines, "build_" + port)

    async def language_model():
        engine = built(settings.language_model, models.language_model)
        await engine.warm_up()
        engine.shutdown()

    if port == "language_model":
        asyncio.run(language_model())
    else:
        built(getattr(settings, port), getattr(models, port)).warm_up()

if __name__ == "__main__":
    main()
"""


def slowest_engine_load() -> dict[str, float]:
    """Return seconds per engine from starting Python to a first answer."""
    config = config_path(None)
    took = {}
    with tempfile.TemporaryDirectory() as folder:
        # vLLM spawns children that import the main module, so the program must be a file.
        program = Path(folder) / "load_engine.py"
        program.write_text(PROGRAM)
        for port in ("transcriber", "language_model", "embedder", "reader"):
            begun = time.perf_counter()
            command = [sys.executable, str(program), port, str(config)]
            subprocess.run(command, check=True, capture_output=True, timeout=LOAD_TIMEOUT_S)
            took[port] = time.perf_counter() - begun
    return took
