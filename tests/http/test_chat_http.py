"""Chat over HTTP: OpenAI's shape over the guarded language model, and everything that is not honoured refused."""

import json
from dataclasses import replace

import pytest
from conftest import LIMITS, WRITER
from openai import AsyncOpenAI, BadRequestError, RateLimitError

from domain.errors import BudgetExceeded, DeadlineExceeded, InvalidModelOutput, ModelOverloaded, RateLimited

ROUTE = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Say good morning."}]
SCHEMA = {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}, "pattern": {"type": "null"}}}


def with_schema(schema: object, **other: object) -> dict[str, object]:
    return {
        "messages": HELLO,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, **other}},
    }


async def test_an_answer_has_openais_shape_and_says_where_it_came_from(world):
    answer = await world.client.post(ROUTE, json={"messages": HELLO, "model": WRITER.id})

    body = answer.json()
    provenance = body.pop("provenance")
    message = {"role": "assistant", "content": "Good morning.", "refusal": None}
    assert body == {
        "id": f"chatcmpl-{provenance['key'][:32]}",
        "object": "chat.completion",
        "created": int(world.clock.now()),
        "model": WRITER.id,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 5,
            "total_tokens": 25,
            "prompt_tokens_details": {"cached_tokens": 16},
        },
    }
    assert (provenance["prompt"]["name"], provenance["prompt"]["version"]) == ("chat", "2")


async def test_what_is_asked_reaches_the_model_and_nothing_is_left_to_defaults(world):
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "Three.", "refusal": None, "annotations": []},
        {"role": "user", "content": "Four?"},
    ]
    sampling = {"max_completion_tokens": 64, "temperature": 0.7, "top_p": 0.9, "seed": 3}
    harmless = {"user": "u", "n": 1, "store": False, "metadata": {}, "stream": False, "tools": [], "logprobs": None}
    await world.client.post(ROUTE, json={"messages": messages, **sampling, **harmless}, headers={"Cache-Control": "no-store"})
    await world.client.post(ROUTE, json={"messages": HELLO})

    (first, context), (second, _) = world.writer.asked
    assert first.messages == (("system", "Be brief."), ("user", "One\ntwo"), ("assistant", "Three."), ("user", "Four?"))
    assert first.sampling.parameters() == {"max_tokens": 64, "temperature": 0.7, "top_p": 0.9, "seed": 3}
    assert (context.deadline, context.store) == (world.clock.now() + 60, False)
    assert second.sampling.parameters() == {"max_tokens": 512, "temperature": 0.0, "top_p": 1.0, "seed": 20}
    assert first.reference.digest != second.reference.digest


async def test_a_schema_is_followed_and_its_answer_is_json(world):
    world.writer.answer = {"title": "Größe", "n": 1.0}
    bodies = [with_schema(SCHEMA, strict=True), {"messages": HELLO, "response_format": {"type": "json_object"}}]
    contents = [(await world.client.post(ROUTE, json=body)).json()["choices"][0]["message"]["content"] for body in bodies]

    assert [prompt.schema for prompt, _ in world.writer.asked] == [SCHEMA, {"type": "object"}]
    assert [json.loads(content) for content in contents] == [{"title": "Größe", "n": 1}] * 2


async def test_an_answer_that_reaches_its_token_limit_is_an_answer_that_says_so(world):
    world.writer.ended = "length"
    answer = await world.client.post(ROUTE, json={"messages": HELLO, "max_tokens": 3})

    (choice,) = answer.json()["choices"]
    assert (answer.status_code, choice["finish_reason"], choice["message"]["content"]) == (200, "length", "Good morning.")
    ((prompt, _),) = world.writer.asked
    assert prompt.verbatim


@pytest.mark.parametrize(("sent", "stops"), [("END", ("END",)), (["\n\n", "END"], ("\n\n", "END")), ([], ()), (None, ())])
async def test_stop_sequences_reach_the_model(world, sent, stops):
    answer = await world.client.post(ROUTE, json={"messages": HELLO, "stop": sent})

    ((prompt, _),) = world.writer.asked
    assert (answer.status_code, prompt.sampling.stop) == (200, stops)


async def test_who_wants_nothing_stored_leaves_no_answer_in_the_cache(world):
    await world.client.post(ROUTE, json={"messages": HELLO, "store": False})
    await world.client.post(ROUTE, json={"messages": HELLO})

    assert [context.store for _, context in world.writer.asked] == [False, True]


async def test_a_stream_is_the_finished_answer_in_pieces(world):
    world.writer.answer = {"text": "Guten  Morgen,\nFreunde! "}
    answer = await world.client.post(ROUTE, json={"messages": HELLO, "stream": True, "stream_options": {"include_usage": True}})

    *events, done = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    first, *words, last, usage = map(json.loads, events)
    assert (answer.headers["content-type"].split(";")[0], done) == ("text/event-stream", "[DONE]")
    assert first["choices"] == [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in words) == world.writer.answer["text"]
    assert len(words) > 2
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 25)
    assert len({(chunk["id"], chunk["model"], chunk["object"]) for chunk in map(json.loads, events)}) == 1


async def test_a_stream_that_can_not_begin_is_the_status_that_clients_know(world):
    world.writer.error = RateLimited("later", 7.0)
    answer = await world.client.post(ROUTE, json={"messages": HELLO, "stream": True})

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


async def test_an_answer_from_the_cache_tells_the_tokens_that_it_took(world):
    world.writer.cached = True
    body = (await world.client.post(ROUTE, json={"messages": HELLO})).json()

    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (20, 5)
    assert (body["provenance"]["cache_hit"], body["provenance"]["usage"]["input_tokens"]) == (True, 0)


REFUSED = {
    "several answers": ({"n": 2}, "n"),
    "tools": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    "log-probabilities": ({"logprobs": True}, "logprobs"),
    "too many stops": ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    "an empty stop": ({"stop": ""}, "stop"),
    "a stop in JSON": ({"stop": "\n", "response_format": {"type": "json_object"}}, "stop"),
    "penalties": ({"presence_penalty": 0.5}, "presence_penalty"),
    "bias": ({"logit_bias": {"1": 5}}, "logit_bias"),
    "audio": ({"modalities": ["text", "audio"]}, "modalities"),
    "more than the context": ({"max_tokens": 4096}, "max_tokens"),
    "no tokens": ({"max_tokens": 0}, "max_tokens"),
    "too hot": ({"temperature": 2.5}, "temperature"),
    "no messages": ({"messages": []}, "messages"),
    "a tool's message": ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages"),
    "a picture": ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages"),
    "no schema": ({"response_format": {"type": "json_schema"}}, "response_format"),
    "no json schema": (with_schema({"type": "thing"}), "response_format"),
    "a list": (with_schema({"type": "array"}), "response_format"),
    "a reference that leads outside": (
        with_schema({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/secret"}}}),
        "response_format",
    ),
    "another base": (with_schema({"type": "object", "$id": "http://127.0.0.1:1/", "$ref": "#/x"}), "response_format"),
    "an expression": (
        with_schema({"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}),
        "response_format",
    ),
    "an expression in a list": (
        with_schema({"type": "object", "anyOf": [{"patternProperties": {"(a+)+$": {}}}]}),
        "response_format",
    ),
    "too deep": (with_schema(json.loads('{"not":' * 90 + '{"type":"object"}' + "}" * 90)), "response_format"),
    "too long": (with_schema({"type": "object", "title": "x" * 40_000}), "response_format"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_honoured_is_refused_in_openais_envelope(world, case):
    body, param = REFUSED[case]
    answer = await world.client.post(ROUTE, json={"messages": HELLO} | body)

    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"].startswith(param)
    assert world.writer.asked == []


@pytest.mark.parametrize("model", ["gpt-9", "whisper-base"])
async def test_only_a_served_language_model_can_be_named(world, model):
    answer = await world.client.post(ROUTE, json={"messages": HELLO, "model": model})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("limits", [replace(LIMITS, text_characters=100)])
async def test_too_many_words_are_refused(world):
    answer = await world.client.post(ROUTE, json={"messages": [{"role": "user", "content": "x" * 101}]})

    assert answer.status_code == 413


FAILURES = [
    (BudgetExceeded("spent", "tokens", 0.0), 402, None),
    (RateLimited("later", 7.0), 429, "7"),
    (ModelOverloaded("full", 3.0), 503, "3"),
    (InvalidModelOutput("the answer is not JSON"), 502, None),
    (DeadlineExceeded("too late"), 504, None),
]


@pytest.mark.parametrize(("error", "status", "retry_after"), FAILURES)
async def test_a_failed_call_is_its_status(world, error, status, retry_after):
    world.writer.error = error
    answer = await world.client.post(ROUTE, json={"messages": HELLO})

    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert answer.json()["error"]["message"] == error.detail


async def test_openais_client_gets_text_and_parsed_answers_and_typed_errors(served):
    async with AsyncOpenAI(base_url=f"{served.client.base_url}/v1", api_key="none", max_retries=0) as client:
        create = client.chat.completions.create
        plain = await create(model=WRITER.id, messages=HELLO, max_tokens=16)
        served.writer.answer = {"title": "Hello"}
        shaped = await create(**with_schema(SCHEMA), model=WRITER.id)
        with pytest.raises(BadRequestError, match="Tools"):
            await create(model=WRITER.id, messages=HELLO, tools=[{"type": "function", "function": {"name": "f"}}])
        served.writer.error = RateLimited("later", 1.0)
        with pytest.raises(RateLimitError):
            await create(model=WRITER.id, messages=HELLO)

        served.writer.error = None
        served.writer.answer = {"text": "Good morning, all."}
        chunks = [chunk async for chunk in await create(model=WRITER.id, messages=HELLO, stream=True)]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Good morning, all."
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert plain.choices[0].message.content == "Good morning."
    assert (plain.usage.total_tokens, plain.choices[0].finish_reason) == (25, "stop")
    assert json.loads(shaped.choices[0].message.content) == {"title": "Hello"}
