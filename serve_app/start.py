"""Start the embedded service with something to look at while it takes its time."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from serve_app.arguments import check_config, check_writable
from serve_app.service import Service, with_light_model
from serve_app.settings import ServeFile, load_config
from serve_app.terminal import WarmingBars, bars, console, quiet, store_bars

DEFAULT_CONFIG = Path(__file__).parents[1] / "serve_config.yaml"
PACKAGED_CONFIG = Path(__file__).parent / "serve_config.yaml"

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that ask the whole service to end."""


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
    dashboard: bool = False,
) -> Iterator[Service]:
    """Run a ready service for the time of the context; whatever happens, what was started is stopped.

    `dashboard`: Ray's, ten processes that only a service which stays has somebody to look at.

    Raises ArgumentWrong for what was typed, before anything starts.
    """
    check_config(config)

    def read() -> ServeFile:
        chosen = load_config(config_path(config))
        return with_light_model(chosen) if light else chosen

    service = Service(read, data_dir)
    check_writable("--data-dir", service.data_dir)
    with _interruptible() as keep_hold:
        try:
            settings = service.prepare()
            service.check_address(settings, host, port)
            from serve_app.engines import fit_to_machine, resolve_models

            fitted, choice = fit_to_machine(settings.settings)
            settings = settings.model_copy(update={"settings": fitted})
            if choice is not None:
                console.print(f"language model: {choice.engine} on {choice.device}, {choice.model} ({choice.why})", markup=False)
            with store_bars() as progress:
                models = resolve_models(fitted, progress)
            with bars() as display:
                ray = display.add_task("starting Ray and Serve", total=None)
                service.start(settings, models, host, port, dashboard)
                keep_hold()
                display.update(ray, description="Ray and Serve are up", total=1, completed=1)
                service.wait_ready(WarmingBars(display).show)
            _tell_rates(service)
            yield service
        finally:
            with _undisturbed():
                _stop(service)


def _tell_rates(service: Service) -> None:
    """Say how fast each model is here, and what to do about one that is slow; keep it for `wordloop doctor`."""
    from adapters.model_store import default_cache_dir
    from serve_app.client import Client, RequestFailed
    from serve_app.measured_rates import MeasuredModel, remember, slow_words

    assert service.file is not None
    client = Client(service.file.url)
    try:
        cards = client.models()
    except RequestFailed:
        return  # Keys are required, and none is set for this command: the logs of the replicas tell.
    finally:
        client.close()
    measured = [one for one in map(MeasuredModel.of, cards) if one is not None]
    for one in measured:
        console.print(one.shown, markup=False, soft_wrap=True)
        if (slow := slow_words(one.kind, one.rate)) is not None:
            console.print(f"  ! {slow}", markup=False, soft_wrap=True)
    remember(default_cache_dir(os.environ), measured)


def _stop(service: Service) -> None:
    if service.begun:
        with suppress(OSError):  # the terminal may have closed
            console.print("stopping what was started ...")
    with quiet():
        service.stop()


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Let SIGTERM, and SIGHUP of a terminal that closes, end the context like ctrl-c does, so that nothing stays behind.

    Gives a function that takes the signals back: Ray installs a handler of its own when it starts, under which the process dies
    before it has ended the others. A signal that is ignored, as under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN}
    handlers = dict.fromkeys(before, signal.default_int_handler)
    _take(handlers)
    try:
        yield partial(_take, handlers)
    finally:
        _take(before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nobody hurry what takes care of itself: a second signal would leave behind what the first began to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        _take(before)


def _take(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
