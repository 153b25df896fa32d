"""What the settings say about the calls of each kind: who answers them, how many there are at once, and what they cost."""

from adapters.guard import Prices, prices_of_replicas
from application.recap.settings import RecapSettings
from domain.call import CallKind
from serve_app.model_ports import PORTS
from serve_app.settings import Settings


def at_once(settings: Settings) -> dict[CallKind, int]:
    """Return how many calls of each kind one job has under way at most."""
    of_a_recap = RecapSettings().concurrent_calls
    windows = settings.worker.windows_in_flight
    return dict.fromkeys(CallKind, of_a_recap) | {CallKind.TRANSCRIBE: windows, CallKind.DIARIZE: windows}


def price_table(settings: Settings) -> Prices:
    """Return what calls cost by the settings."""
    return prices_of_replicas({kind: getattr(settings.replica_hour_usd, port) for kind, port in PORTS.items()})
