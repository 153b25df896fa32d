"""Who may be listened to without a key: this machine, nobody else."""

from adapters.sql import SqlStore
from serve_app.clock import SystemClock
from serve_app.database import database_url, opened, run_now
from serve_app.errors import StartFailed
from serve_app.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_exposure(settings: Settings, host: str) -> None:
    """Raise StartFailed, with what to do, for a `host` beyond loopback, unless keys are asked for and there is a live one."""
    if host in LOOPBACK:
        return
    if not settings.security.require_keys:
        raise StartFailed(f"refusing to listen on {host}: only loopback is open without keys; set security.require_keys: true")
    clock = SystemClock()
    SqlStore.migrate(database_url(settings))
    with opened(settings, clock) as store:
        keys = run_now(store.keys.list())
    if not any(key.live(clock.now()) for key in keys):
        raise StartFailed(f"refusing to listen on {host}: there is no live key; `wordloop keys create TENANT` makes one")
