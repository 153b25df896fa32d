"""`wordloop doctor`: is this machine able to run the service, and if not, what to do."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import WordloopError

if TYPE_CHECKING:
    from serve_app.doctor.checks import Finding

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Option("--config", help="A serve_config.yaml (default: the embedded one).")] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="The data folder to look at.")] = None,
    port: Annotated[
        list[int] | None, typer.Option("--port", min=0, max=65_535, help="Also check that this port is free (repeatable).")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to check ports on.")] = "127.0.0.1",
    sums: Annotated[bool, typer.Option("--sums/--no-sums", help="Read assembled models whole and compare every sum.")] = True,
) -> None:
    """Check packages, SQLite, HAProxy, cores, memory, disk, confinement, engines, models, ports; exit 1 if wrong.

    Only looks: nothing is made, changed or removed.

    Example: wordloop doctor --port 8000
    """
    from adapters.model_store import ModelStore, default_cache_dir
    from serve_app.doctor import checks
    from serve_app.doctor.checks import Weight
    from serve_app.doctor.confinement import confinement
    from serve_app.settings.serve_file import config_path, load_config
    from serve_app.terminal.arguments import check_config
    from serve_app.terminal.display import console, output, store_bars

    check_config(config)
    settings = load_config(config_path(config)).settings
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    with store_bars() as progress:
        store = ModelStore.from_environment(os.environ, progress, read_only=True)
        cache_dir = default_cache_dir(os.environ)
        engine, settings = checks.language_model(settings, store)
        findings = [
            *_asked("Python and platform", checks.python_and_platform),
            *_asked("packages", checks.packages),
            *_asked("SQLite", checks.sqlite),
            *_asked("machine", lambda: checks.machine(settings, store, cache_dir)),
            *_asked("confinement", lambda: confinement(settings)),
            engine,
            *_asked("models", lambda: checks.models(settings, store, sums)),
            *_asked("rates", lambda: checks.rates(cache_dir)),
            *_asked("ports", lambda: checks.ports(port or (), host)),
        ]
    for finding in findings:
        output.print(f"{finding.weight.value} {finding.seen}", markup=False, soft_wrap=True)
        if finding.todo:
            output.print(f"  → {finding.todo}", markup=False, soft_wrap=True)
    wrong = sum(finding.weight is Weight.FAILED for finding in findings)
    if wrong:
        console.print(f"{wrong} of {len(findings)} checks failed", markup=False)
        raise typer.Exit(1)


def _asked(what: str, question: Callable[[], Iterator["Finding"]]) -> list["Finding"]:
    """The findings of one question; a question that can not be asked is itself a failed finding."""
    from serve_app.doctor.checks import failed

    try:
        return list(question())
    except (OSError, WordloopError, ImportError) as broken:
        return [failed(f"{what} could not be checked: {type(broken).__name__}: {broken}", "Repair that first, then ask again.")]
