"""What the settings say about the calls of each kind: who answers them, how many there are at once, and what they cost."""

from collections.abc import Mapping
from typing import Any

from adapters.guard import Prices, prices_of_replicas
from adapters.ray_serve.rates import ReplicaRates, States
from application.recap.settings import RecapSettings
from domain.call import CallKind
from ports.clock import Clock
from serve_app.settings.model_ports import DEPLOYMENTS, PORTS
from serve_app.settings.service import Settings


def at_once(settings: Settings) -> dict[CallKind, int]:
    """Return how many calls of each kind one job has under way at most."""
    of_a_recap = RecapSettings().concurrent_calls
    windows = settings.worker.windows_in_flight
    return dict.fromkeys(CallKind, of_a_recap) | {CallKind.TRANSCRIBE: windows, CallKind.DIARIZE: windows}


def rates_of_replicas(handles: Mapping[str, Any], clock: Clock, states: States) -> ReplicaRates:
    """Return how fast the replicas behind `handles` (by port) say they are."""
    served = {kind: port for kind, port in PORTS.items() if port in handles}
    asked = {kind: handles[port] for kind, port in served.items()}
    return ReplicaRates(asked, clock, states=states, deployments={kind: DEPLOYMENTS[port] for kind, port in served.items()})


def price_table(settings: Settings) -> Prices:
    """Return what calls cost by the settings."""
    return prices_of_replicas({kind: getattr(settings.replica_hour_usd, port) for kind, port in PORTS.items()})
