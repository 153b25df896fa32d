"""`wordloop models`: which models there are, where they come from, and whether they are whole."""

import os
from pathlib import Path
from typing import Annotated

import typer

from adapters.model_store import ModelStore, default_cache_dir
from adapters.model_store.errors import ModelSourceMissing, ModelStoreError
from domain.errors import WordloopError
from serve_app.terminal.display import console, output, store_bars

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)

AllowHub = Annotated[bool, typer.Option("--allow-hub", help="Ask the model hub when no package or mirror holds the files.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="NAME or NAME:PRECISION; for fetch also hub:OWNER/NAME@COMMIT or a folder."),
]


@app.callback()
def models(context: typer.Context) -> None:
    """List the bundled models: name, kind, licence, revision, source, and whether each is assembled.

    Example: wordloop models
    """
    if context.invoked_subcommand is None:
        store = ModelStore.from_environment(os.environ)
        output.print("\n".join(lines_of(store)), markup=False, soft_wrap=True)
        output.print("\n".join(rates_of(default_cache_dir(os.environ))), markup=False, soft_wrap=True)


@app.command()
def fetch(names: Names = None, allow_hub: AllowHub = False) -> None:
    """Assemble models into the cache folder; without names, every one whose source is there.

    Example: wordloop models fetch whisper-base qwen2.5-coder-1.5b-instruct:int8
    """
    with store_bars() as progress:
        store = ModelStore.from_environment(os.environ, progress, allow_hub=allow_hub)
        chosen = names or [model.name for model in store.manifest.models if _source_words(store, model.name)[0]]
        failed = [name for name in chosen if not _fetched(store, name)]
    if failed:
        raise typer.Exit(1)


@app.command()
def verify(names: Names = None) -> None:
    """Compare every byte of assembled models with the sums of their assembly; without names, all that are assembled.

    Example: wordloop models verify
    """
    wrong = False
    with store_bars() as progress:
        store = ModelStore.from_environment(os.environ, progress)
        chosen = [tuple(name.split(":", 1)) for name in names] if names else _assembled(store)
        for name, *precision in chosen:
            damage = store.damage(name, *precision)
            wrong = wrong or bool(damage)
            label = ":".join([name, *precision])
            for sentence in damage:
                console.print(f"✘ {label}: {sentence}", markup=False, soft_wrap=True)
            console.print(f"→ wordloop models fetch {label}" if damage else f"✔ {label}", markup=False, soft_wrap=True)
    if not chosen:
        console.print("No model is assembled yet. `wordloop models fetch` assembles them.")
    if wrong:
        raise typer.Exit(1)


def rates_of(cache_dir: Path) -> list[str]:
    """What the last start measured, a line per model, with what to do about one that is slow."""
    from serve_app.engines.measured_rates import remembered, slow_words

    measured = remembered(cache_dir)
    if not measured:
        return ["", "Nothing was measured on this machine yet: each start of the service does (`wordloop up`, `wordloop demo`)."]
    lines = ["", f"Measured here at {measured[0].at} UTC:"]
    for one in measured:
        lines.append(f"  {one.shown}")
        slow = slow_words(one.kind, one.rate)
        lines += [f"    ! {slow}"] if slow else []
    return lines


def lines_of(store: ModelStore) -> list[str]:
    """A heading and one line per model and precision: what it is, whether it is there, where it comes from."""
    rows = [("NAME", "KIND", "LICENCE", "REVISION", "STATE", "SIZE", "SOURCE")]
    for model in store.manifest.models:
        _, source = _source_words(store, model.name)
        for precision in model.precisions:
            complete = store.assembled(model.name, precision)
            size = complete.total_bytes if complete else model.assembled_bytes[precision]
            name = model.name if precision == model.default_precision else f"{model.name}:{precision}"
            state = "assembled" if complete else "not assembled"
            kind = model.kind_of(precision).value
            rows.append((name, kind, model.licence, model.revision[:12], state, f"{size / 1e6:,.0f} MB", source))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _source_words(store: ModelStore, name: str) -> tuple[bool, str]:
    """Whether a source is there, and which: "package" with its first distribution, "mirror", "hub"."""
    try:
        provenance = store.source_of(name).provenance
    except ModelSourceMissing:
        return False, f"none here (`wordloop models fetch {name}` says what to install)"
    distributions = provenance.get("distributions")
    if isinstance(distributions, list):
        more = f" and {len(distributions) - 1} more" if len(distributions) > 1 else ""
        return True, f"package {distributions[0]}{more}"
    return True, str(provenance["kind"])


def _fetched(store: ModelStore, reference: str) -> bool:
    try:
        folder = store.ensure(reference, verify=True)
    except (ModelStoreError, WordloopError) as error:
        console.print(f"✘ {reference}: {error.detail}", markup=False, soft_wrap=True)
        return False
    console.print(f"✔ {reference}: {folder.path}", markup=False, soft_wrap=True)
    return True


def _assembled(store: ModelStore) -> list[tuple[str, ...]]:
    return [
        (model.name, precision)
        for model in store.manifest.models
        for precision in model.precisions
        if store.assembled(model.name, precision)
    ]
