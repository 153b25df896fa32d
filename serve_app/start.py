"""Start the embedded service with something to look at while it takes its time."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from serve_app.service import Service, with_light_model
from serve_app.settings import ServeFile, load_config
from serve_app.terminal import WarmingBars, bars, console, quiet, store_bars

DEFAULT_CONFIG = Path(__file__).parents[1] / "serve_config.yaml"
PACKAGED_CONFIG = Path(__file__).parent / "serve_config.yaml"


def config_path(named: Path | None) -> Path:
    """The file asked for, else the repository's, else the one inside the package."""
    if named is not None:
        return named
    return DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else PACKAGED_CONFIG


@contextmanager
def started(
    *,
    data_dir: Path | None,
    config: Path | None,
    light: bool = False,
    host: str | None = None,
    port: int | None = None,
) -> Iterator[Service]:
    """Run a ready service for the time of the context; whatever happens, what was started is stopped."""

    def read() -> ServeFile:
        chosen = load_config(config_path(config))
        return with_light_model(chosen) if light else chosen

    service = Service(read, data_dir)
    with _interruptible() as keep_hold:
        try:
            settings = service.prepare()
            from serve_app.engines import fit_to_machine, resolve_models

            fitted, choice = fit_to_machine(settings.settings)
            settings = settings.model_copy(update={"settings": fitted})
            if choice is not None:
                console.print(f"language model: {choice.engine} on {choice.device}, {choice.model} ({choice.why})", markup=False)
            with store_bars() as progress:
                models = resolve_models(fitted, progress)
            with bars() as display:
                ray = display.add_task("starting Ray and Serve", total=None)
                service.start(settings, models, host, port)
                keep_hold()
                display.update(ray, description="Ray and Serve are up", total=1, completed=1)
                service.wait_ready(WarmingBars(display).show)
            yield service
        finally:
            if service.file is not None or sys.exc_info()[0] is not None:
                console.print("stopping what was started ...")
            with quiet():
                service.stop()


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Let SIGTERM end the context like ctrl-c does, so that nothing stays behind.

    Gives a function that takes the signal back: Ray installs a handler of its own when it starts, under which the process dies
    before it has ended the others.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield partial(_take, interrupt)
    finally:
        signal.signal(signal.SIGTERM, before)


def _take(handler: Callable[[int, FrameType | None], None]) -> None:
    signal.signal(signal.SIGTERM, handler)
