"""`wordloop eval`: what `evals/` registers as entry points, run by name."""

from pathlib import Path

import typer

from serve_app.commands.bench import registered
from serve_app.terminal.arguments import check_name, check_new_file
from serve_app.terminal.display import console

EVALS = "wordloop.evals"
EVAL_RUNNER = "wordloop.eval_runner"


def run_eval(
    suite: str | None, *, tier: str, json_file: Path | None, html_file: Path | None, accept_baseline: bool, if_changed: bool
) -> None:
    """Run one suite or all; exits 1 when a score is missing, beyond its threshold, or fallen too far below the baseline."""
    known = registered(EVALS)
    if suite is not None:
        check_name(suite, known, "suite")
    check_new_file("--json", json_file)
    check_new_file("--html", html_file)
    chosen = known if suite is None else {suite: known[suite]}
    run = registered(EVAL_RUNNER)["run"].load()
    raise typer.Exit(
        run(
            chosen, tier=tier, json_file=json_file, html_file=html_file,
            accept_baseline=accept_baseline, if_changed=if_changed,
        )
    )  # fmt: skip


def run_comparison(suite: str | None, prompt: str, *, tier: str, json_file: Path | None) -> None:
    """Show scores, cost and words of two versions of a prompt, case by case."""
    if suite != "recap":
        console.print("--prompt compares recaps: wordloop eval recap --prompt NAME@A..B")
        raise typer.Exit(2)
    compare = registered(EVAL_RUNNER)["compare-prompts"].load()
    try:
        raise typer.Exit(compare(prompt, tier=tier, json_file=json_file))
    except (ValueError, LookupError) as error:
        console.print(str(error), markup=False)
        raise typer.Exit(2) from error
