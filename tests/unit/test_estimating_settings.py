"""What an estimate knows of the served models follows from the settings."""

from adapters.guard import DEFAULT_PRICES
from adapters.guard.prices import UNKNOWN_REMOTE
from domain.call import CallKind, Usage
from serve_app.engines import remote_identity
from serve_app.estimating import CPU_PACES, pricing
from serve_app.settings import EmbedderSettings, LanguageModelSettings, RemoteSettings, Settings

REMOTE = RemoteSettings(base_url="http://127.0.0.1:1/v1", model="gpt")


def test_models_on_cpu_have_a_pace_a_provider_its_prices_and_models_on_gpu_neither() -> None:
    settings = Settings(language_model=LanguageModelSettings(remote=REMOTE), embedder=EmbedderSettings(device="cuda"))

    known = pricing(settings)

    assert known.paces == {CallKind.TRANSCRIBE: CPU_PACES[CallKind.TRANSCRIBE]}
    assert known.providers == {CallKind.GENERATE}


def test_a_configured_provider_without_a_price_is_billed_as_an_unknown_one_and_not_as_our_own_replica() -> None:
    usage = Usage(input_tokens=1_000_000)

    cost = DEFAULT_PRICES.cost_usd(CallKind.GENERATE, remote_identity(REMOTE), usage, 1.0)

    assert cost == UNKNOWN_REMOTE.input_million_tokens
