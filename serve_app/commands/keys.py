"""`wordloop keys`: make and end the keys that callers show, in the database of a configuration."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.api_key import ApiKey, KeyLimits, Scope
from domain.errors import InvalidRequest
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY
from serve_app.composition.clock import SystemClock
from serve_app.composition.database import database_url, opened, run_now
from serve_app.terminal.chosen_settings import chosen_settings
from serve_app.terminal.display import console, output

if TYPE_CHECKING:
    from adapters.sql import SqlStore

DAY_S = 86_400.0
MIB = 1024 * 1024
TENANT_PATTERN = "letters, digits, _ and -, at most 64"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Keys of callers.")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="The data folder (default: the configuration's).")]
Config = Annotated[Path | None, typer.Option("--config", help="A serve_config.yaml (default: the embedded one).")]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="A key's id: the 12 digits after wl_.")]


@app.command()
def create(
    tenant: Annotated[str, typer.Argument(help=f"Whose key it is: {TENANT_PATTERN} characters.")],
    scope: Annotated[list[Scope] | None, typer.Option(help="What it allows; may be given more than once.")] = None,
    name: Annotated[str, typer.Option(help="What it is for, for the list.")] = "",
    days: Annotated[float | None, typer.Option(min=0.0001, help="Days until it ends (default: never).")] = None,
    per_minute: Annotated[
        float | None, typer.Option("--requests-per-minute", min=1, help="Its requests a minute (default: the configuration's).")
    ] = None,
    upload_mib: Annotated[
        float | None, typer.Option("--max-upload-mib", min=0.001, help="MiB of one recording (default: the configuration's).")
    ] = None,
    max_priority: Annotated[
        int | None,
        typer.Option(
            min=LOWEST_PRIORITY, max=HIGHEST_PRIORITY, help="Highest priority of its jobs (default: the configuration's)."
        ),
    ] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Make a key and print it, this once: only its digest is kept.

    Example: wordloop keys create acme --scope read --scope write --days 365
    """
    if not (0 < len(tenant) <= 64) or not all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in tenant):
        raise InvalidRequest(f"A tenant's name takes {TENANT_PATTERN}.")
    scopes = frozenset(scope or (Scope.READ, Scope.WRITE))
    ends = None if days is None else SystemClock().now() + days * DAY_S
    limits = KeyLimits(per_minute, None if upload_mib is None else int(upload_mib * MIB), max_priority)
    with _store(config, data_dir) as store:
        key, text = run_now(store.keys.create(tenant, scopes, name, ends, limits))
    _show_once(key, text)


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Only keys of this tenant.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List keys, oldest first, ended ones too; never their text.

    Example: wordloop keys list --tenant acme
    """
    with _store(config, data_dir) as store:
        keys = run_now(store.keys.list(tenant))
    now = SystemClock().now()
    for key in keys:
        line = json.dumps(_plain(key, now), sort_keys=True) if as_json else "  ".join(str(v) for v in _plain(key, now).values())
        output.print(line, markup=False, highlight=False, soft_wrap=True)
    if not keys:
        console.print("There are no keys. `wordloop keys create TENANT` makes one.", markup=False)


@app.command()
def rotate(
    key: KeyId,
    overlap_hours: Annotated[float, typer.Option(min=0, help="Hours for which the old key still opens.")] = 24.0,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Make a key like an old one and let the old one end after an overlap.

    Example: wordloop keys rotate 0123456789ab --overlap-hours 48
    """
    with _store(config, data_dir) as store:
        new, text = run_now(store.keys.rotate(key, overlap_hours * 3600))
    _show_once(new, text)
    console.print(f"Key {key} opens for another {overlap_hours:g} hours.", markup=False)


@app.command()
def revoke(key: KeyId, data_dir: DataDir = None, config: Config = None) -> None:
    """End a key now. A running service notices within five seconds.

    Example: wordloop keys revoke 0123456789ab
    """
    with _store(config, data_dir) as store:
        ended = run_now(store.keys.revoke(key))
    console.print(f"Key {ended.id} of {ended.tenant} is revoked.", markup=False)


def _show_once(key: ApiKey, text: str) -> None:
    allows = ", ".join(sorted(key.scopes))
    console.print(f"Key {key.id} of {key.tenant} ({allows}). Keep it now: it is not shown again.", markup=False)
    output.print(text, markup=False, highlight=False, soft_wrap=True)


def _plain(key: ApiKey, now: float) -> dict[str, Any]:
    state = "revoked" if key.revoked_at is not None else "live" if key.live(now) else "ended"
    ends = "never ends" if key.expires_at is None else f"ends {_time(key.expires_at)}"
    scopes = ",".join(sorted(key.scopes))
    made = _time(key.created_at)
    told = {"id": key.id, "tenant": key.tenant, "scopes": scopes, "state": state, "made": made, "ends": ends}
    return told | {"limits": _limits(key.limits), "name": key.name}


def _limits(limits: KeyLimits) -> str:
    """The key's own limits in words; empty where the configuration's count."""
    rate = f"{limits.requests_per_minute:g} requests/min" if limits.requests_per_minute is not None else ""
    size = f"{limits.upload_bytes / MIB:g} MiB a recording" if limits.upload_bytes is not None else ""
    rank = f"priority up to {limits.max_priority}" if limits.max_priority is not None else ""
    return ", ".join(part for part in (rate, size, rank) if part)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@contextmanager
def _store(config: Path | None, data_dir: Path | None) -> Iterator["SqlStore"]:
    """Open the database of a configuration, making it if need be: keys come before the first start."""
    from adapters.sql import SqlStore

    settings = chosen_settings(config, data_dir)
    SqlStore.migrate(database_url(settings))
    with opened(settings, SystemClock()) as store:
        yield store
