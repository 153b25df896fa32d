"""Start the embedded service with something to look at while it takes its time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from serve_app.embedded.ending_signals import interruptible, undisturbed
from serve_app.embedded.service import Service, with_light_model
from serve_app.protection.confinement import refuse_without_confinement
from serve_app.settings.serve_file import ServeFile, config_path, load_config
from serve_app.terminal.arguments import check_config, check_writable
from serve_app.terminal.display import WarmingBars, bars, console, quiet, store_bars


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
    with interruptible() as keep_hold:
        try:
            settings = service.prepare()
            service.check_address(settings, host, port)
            refuse_without_confinement(settings.settings)
            from serve_app.engines.served_models import fit_to_machine, resolve_models

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
            with undisturbed():
                _stop(service)


def _tell_rates(service: Service) -> None:
    """Say how fast each model is here, and what to do about one that is slow; keep it for `wordloop doctor`."""
    from adapters.model_store import default_cache_dir
    from serve_app.embedded.client import Client, RequestFailed
    from serve_app.engines.measured_rates import MeasuredModel, remember, slow_words

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
