"""What is left of a budget, told beside every answer that used some of it."""

import pytest

from domain.errors import StorageFailed
from ports.call_metering import Amounts

SEGMENTS = [{"start": 0.0, "end": 1.0, "text": "Good morning."}]
ANSWERS = {
    "embeddings": ("/v1/embeddings", {"input": "hello"}),
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}]}),
    "search": ("/v1/search", {"query": "hello"}),
    "a job": ("/v1/recaps", {"segments": SEGMENTS}),
}


@pytest.mark.parametrize(("route", "body"), ANSWERS.values(), ids=ANSWERS)
async def test_the_answer_says_what_is_left_of_each_limit(world, route, body):
    world.budget_left.amounts = Amounts(audio_seconds=12.3456, tokens=990.0, money_usd=float("inf"))
    answer = await world.client.post(route, json=body)
    assert answer.is_success
    assert answer.headers["Wordloop-Budget-Left"] == "audio-seconds=12.345, tokens=990.000"


async def test_a_job_that_is_looked_at_says_so_too(world):
    world.budget_left.amounts = Amounts(5.0, float("inf"), 0.25)
    job = (await world.client.post("/v1/recaps", json={"segments": SEGMENTS})).json()
    answer = await world.client.get(f"/v1/jobs/{job['id']}")
    assert answer.headers["Wordloop-Budget-Left"] == "audio-seconds=5.000, money-usd=0.250"


@pytest.mark.parametrize(("route", "body"), ANSWERS.values(), ids=ANSWERS)
async def test_without_limits_nothing_is_said(world, route, body):
    assert "Wordloop-Budget-Left" not in (await world.client.post(route, json=body)).headers


async def test_an_answer_that_is_paid_for_goes_out_though_the_ledger_is_away(world):
    world.budget_left.error = StorageFailed("away")
    answer = await world.client.post("/v1/embeddings", json={"input": "hello"})
    assert answer.status_code == 200
    assert "Wordloop-Budget-Left" not in answer.headers
