"""The command line: `wordloop demo | up | process | eval | bench | jobs | keys | models | prompts | doctor`.

Imports nothing heavy: help has to come at once. What a command runs is imported when it runs.
"""

import importlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from domain.errors import WordloopError
from serve_app.errors import ArgumentWrong, ConfigurationInvalid

LATE: Final = {
    "jobs": "Jobs of every tenant.",
    "keys": "Keys of callers.",
    "models": "List the bundled models: name, kind, licence, revision, source, and whether each is assembled.",
    "prompts": "The words sent to models.",
    "doctor": "Check packages, SQLite, HAProxy, cores, memory, disk, confinement, engines, models, ports; exit 1 if wrong.",
}
"""Commands with a module of their own, `serve_app.commands.NAME`, and what the list of all commands says of each."""


class LateCommands(TyperGroup):
    """Imports the module of a command in `LATE` when that command is called, and not to list it."""

    def get_help_option(self, ctx: Any) -> Any:
        """As its base, for which help is not wanted where it is not asked for."""
        return _with_default(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As its base, with the real command in the place of the name that was registered."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in LATE:
            command = typer.main.get_command(importlib.import_module(f"serve_app.commands.{name}").app)
            _with_default(command.get_help_option(ctx))
        return name, command, rest


def _with_default(help_option: Any) -> Any:
    """Say no where typer says nothing: it imports pydantic, for a quarter of a second, to read a flag that is neither."""
    if help_option is not None:
        help_option.default = False
    return help_option


class Tier(StrEnum):
    """How much an evaluation measures."""

    FAST = "fast"
    FULL = "full"


app = typer.Typer(
    name="wordloop",
    cls=LateCommands,
    help="Conversations in; transcripts, grounded recaps and searchable vectors out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"wordloop {version('wordloop-ml')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Conversations in; transcripts, grounded recaps and searchable vectors out."""


DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where jobs, results and audio live (default: the user's data folder).")
]
Config = Annotated[Path | None, typer.Option("--config", help="A serve_config.yaml (default: the embedded one).")]
Light = Annotated[bool, typer.Option("--light", help="Use the smaller language model (0.5B instead of 1.5B).")]


@app.command()
def demo(
    light: Light = False,
    keep: Annotated[Path | None, typer.Option("--keep", help="Also write the results into this folder.")] = None,
    config: Config = None,
) -> None:
    """Start the service, turn a bundled recording of a meeting into transcript and recap, print both, stop.

    Example: wordloop demo
    """
    from serve_app.commands.demo import run_demo

    run_demo(light=light, keep=keep, config=config)


@app.command()
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port; 0 picks a free one (default: 8000).")] = None,
    data_dir: DataDir = None,
    config: Config = None,
    light: Light = False,
    scripted: Annotated[
        bool, typer.Option("--scripted", help="To develop against: no models and no Ray, made-up answers, ready in seconds.")
    ] = False,
) -> None:
    """Run the service until ctrl-c. Its address is printed and written to DIR/service.json.

    Example: wordloop up --port 0 --data-dir ./wordloop-data
    Example: wordloop up --scripted --data-dir ./scripted-data
    """
    if scripted:
        from serve_app.embedded.scripted import run_scripted

        run_scripted(host=host, port=port, data_dir=data_dir, config=config)
        return
    from serve_app.commands.up import run_up

    run_up(host=host, port=port, data_dir=data_dir, config=config, light=light)


@app.command()
def process(
    files: Annotated[list[Path], typer.Argument(help="Recordings: any common audio or video file.")],
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o", help="Where results go.")] = Path(),
    language: Annotated[str | None, typer.Option(help="ISO 639-1 code; detected when not given.")] = None,
    speakers: Annotated[
        str | None, typer.Option(help="How many people speak (3 or 2-4), their names in order of first speech (Ana,Ben), or off.")
    ] = None,
    recap: Annotated[bool, typer.Option("--recap/--no-recap", help="Make a recap beside the transcript.")] = True,
    server: Annotated[str | None, typer.Option(help="Use a running service at this address.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
    light: Light = False,
) -> None:
    """Turn recordings into NAME.json, NAME.md, NAME.srt and NAME.vtt.

    Uses the service that runs on the data folder, or starts one for the time it takes.

    Example: wordloop process meeting.m4a interview.mp4 --output-dir results
    """
    from serve_app.commands.process import run_process

    run_process(
        files, output_dir=output_dir, language=language, speakers=speakers, recap=recap, server=server,
        data_dir=data_dir, config=config, light=light,
    )  # fmt: skip


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="A benchmark (default: list them).")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    passages: Annotated[int | None, typer.Option(min=1, help="search: over so many passages (default: 100000).")] = None,
    database: Annotated[
        str | None, typer.Option(help="search: in this database, which is kept (default: an SQLite file that is not).")
    ] = None,
    hours: Annotated[int | None, typer.Option(min=1, help="capacity: of audio a day (default: 100 to a million).")] = None,
    within: Annotated[float | None, typer.Option(min=1, help="capacity: s in which 95 of 100 jobs end (default: 1800).")] = None,
    config: Config = None,
    rates: Annotated[Path | None, typer.Option(help="capacity: an answer of GET /v1/models, whose rates count.")] = None,
    plots: Annotated[Path | None, typer.Option(help="capacity: draw into this folder.")] = None,
) -> None:
    """Measure: time to recap, readiness, health under load, repeat requests, memory, the call guard.

    Example: wordloop bench health-under-load --json figures.json
    Example: wordloop bench search --passages 1000000
    Example: wordloop bench capacity --hours 10000 --within 600 --config serve_config.gpu.yaml
    """
    from serve_app.commands.bench import run_bench

    given = {"passages": passages, "database": database, "hours": hours, "within": within}
    run_bench(name, json_file, {**given, "config": config, "rates": rates, "plots": plots})


@app.command(name="eval")
def evaluate(
    suite: Annotated[str | None, typer.Argument(help="A suite (default: all).")] = None,
    tier: Annotated[Tier, typer.Option(help="fast: bundled data; full: the evaluation data as well.")] = Tier.FAST,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write all scores and cases to this file.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Also write a report with plots to this file.")] = None,
    accept_baseline: Annotated[
        bool, typer.Option("--accept-baseline", help="Make this run what later ones are held against.")
    ] = False,
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="Only suites whose models, prompts, parameters, engines or code changed.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="Compare two versions over the same meetings: NAME@A..B.")
    ] = None,
) -> None:
    """Score the models on real data; exits non-zero when a score is missing, out of bounds, or fell too far.

    Example: wordloop eval transcription --html report.html
    Example: wordloop eval recap --prompt write_chapter@v1..v2
    """
    from serve_app.commands.evaluate import run_comparison, run_eval

    if prompt is not None:
        run_comparison(suite, prompt, tier=tier.value, json_file=json_file)
        return
    run_eval(
        suite, tier=tier.value, json_file=json_file, html_file=html_file,
        accept_baseline=accept_baseline, if_changed=if_changed,
    )  # fmt: skip


def _told_late() -> None:
    """Stands for a command of `LATE` in the list of all."""


for _name, _words in LATE.items():
    app.command(_name, help=_words)(_told_late)


def main() -> None:
    """Entry point: errors of ours end as one sentence on standard error and a non-zero exit, 2 for what was typed wrongly."""
    try:
        app()
    except WordloopError as error:
        sys.stderr.write(f"wordloop: {error.detail}\n")
        sys.exit(2 if isinstance(error, ArgumentWrong | ConfigurationInvalid) else 1)
