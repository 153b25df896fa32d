"""Who may be listened to without a key: this machine, nobody else. And under which protection Serve has to run for others."""

import logging
from collections.abc import Mapping
from pathlib import Path

from adapters.ray_serve.client_headers import CALLBACK
from adapters.ray_serve.haproxy_guard import PROGRAM, DoorLimits
from adapters.sql import SqlStore
from serve_app.composition.clock import SystemClock
from serve_app.composition.database import database_url, opened, run_now
from serve_app.errors import StartFailed
from serve_app.settings.service import HttpSettings, Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROTECTION = {
    "RAY_AUTH_MODE": ("token", "whoever reaches Ray's ports could run code"),
    "RAY_SERVE_ENABLE_HA_PROXY": ("1", "slow clients would not be left in time"),
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": ("1", "it was measured and tested in this mode"),
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": (CALLBACK, "clients could change the limits of Serve itself"),
}
"""What every Ray process needs in its environment, and why; `wordloop up` sets it, `serve run` and `serve deploy` do not."""
HAPROXY = "RAY_SERVE_HAPROXY_BINARY_PATH"
ANSWER_FIRST_S = 15.0
"""Seconds by which HAProxy is more patient than the service, whose answers say more."""
log = logging.getLogger("wordloop")


def door_limits(http: HttpSettings) -> DoorLimits:
    """What of the settings HAProxy keeps."""
    idle_s = http.upload_idle_s + ANSWER_FIRST_S
    return DoorLimits(http.header_s, idle_s, http.keep_alive_s, http.connections, http.connections_per_client)


def missing_protection(environment: Mapping[str, str]) -> list[str]:
    """Return a line per variable that Ray's processes lack, each with its value and its reason."""
    wanted = {name: value for name, value in PROTECTION.items() if environment.get(name) != value[0]}
    lines = [f"{name}={value} ({reason})" for name, (value, reason) in wanted.items()]
    if Path(environment.get(HAPROXY, "")).name != PROGRAM:
        lines.append(f"{HAPROXY}=$(command -v {PROGRAM}) (HAProxy would run without time limits and with open side doors)")
    return lines


def check_protection(environment: Mapping[str, str], host: str | None) -> None:
    """Raise StartFailed for a `host` beyond loopback under a Ray that lacks protection; on loopback, or not known yet, log it."""
    missing = missing_protection(environment)
    if missing and host is not None and host not in LOOPBACK:
        raise StartFailed(f"refusing to listen on {host}: set for every Ray process " + ", ".join(missing))
    for line in missing:
        log.warning("Ray runs without %s", line)


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
