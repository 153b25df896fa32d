"""What an estimate knows of the served models follows from the settings."""

from adapters.guard import DEFAULT_PRICES
from adapters.guard.prices import UNKNOWN_REMOTE
from domain.call import CallKind, Usage
from serve_app.composition.estimating import pricing
from serve_app.engines.served_models import remote_identity
from serve_app.settings.models import LanguageModelSettings, RemoteSettings
from serve_app.settings.service import Settings, WorkerSettings

REMOTE = RemoteSettings(base_url="http://127.0.0.1:1/v1", model="gpt")


def test_calls_at_once_follow_the_worker_and_a_provider_is_billed_by_use() -> None:
    settings = Settings(language_model=LanguageModelSettings(remote=REMOTE), worker=WorkerSettings(windows_in_flight=5))

    known = pricing(settings)

    assert known.at_once[CallKind.TRANSCRIBE] == 5
    assert known.providers == {CallKind.GENERATE}


def test_a_configured_provider_without_a_price_is_billed_as_an_unknown_one_and_not_as_our_own_replica() -> None:
    usage = Usage(input_tokens=1_000_000)

    cost = DEFAULT_PRICES.cost_usd(CallKind.GENERATE, remote_identity(REMOTE), usage, 1.0)

    assert cost == UNKNOWN_REMOTE.input_million_tokens
