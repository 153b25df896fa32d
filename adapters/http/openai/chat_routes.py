"""OpenAI's chat route over the guarded language model: cache, budget, breaker and validation hold here as everywhere."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse

from adapters.http.common.documents import Responses, envelopes
from adapters.http.common.fields import JsonOnly
from adapters.http.common.gateway import Gateway
from adapters.http.common.problems import HttpProblem
from adapters.http.common.request_headers import CALL_HEADERS, Tenant
from adapters.http.openai.answer_schema import schema_of
from adapters.http.openai.chat_bodies import ChatBody, ChatView
from adapters.http.openai.chat_stream import chat_events
from domain.call import CallKind

REFUSALS = (400, 402, 404, 413, 415, 422, 429, 502, 503, 504)


def chat_routes(gateway: Gateway) -> APIRouter:
    """The route of `client.chat.completions.create`."""
    router = APIRouter(tags=["openai"])

    @router.post(
        "/v1/chat/completions",
        responses=_answers() | envelopes(*REFUSALS),
        response_class=Response,
        dependencies=[JsonOnly, *CALL_HEADERS],
    )
    async def complete(body: ChatBody, request: Request, tenant: Tenant) -> Response:
        """An answer of the served language model, as far as it comes within its token limit (`finish_reason` says so).

        With `stream` the finished answer comes in pieces: nothing leaves before it was checked as a whole.
        """
        body.refuse_unsupported()
        schema = schema_of(body.response_format)
        if sum(len(words) for _, words in (message.pair for message in body.messages)) > gateway.limits.text_characters:
            raise HttpProblem(
                "too_large", f"The messages have more than {gateway.limits.text_characters} characters.", "messages"
            )
        await gateway.check_model(body.model, CallKind.GENERATE)
        port = gateway.services.language_model
        prompt = body.prompt(schema, port.context_tokens)
        context = gateway.context(request, tenant, gateway.limits.inline_chat_s)
        answer = await port.generate(prompt, context if body.store is not False else replace(context, store=False))
        view, headers = ChatView.of(answer, gateway.services.clock.now()), await gateway.budget_headers(tenant)
        if body.stream:
            with_usage = body.stream_options is not None and body.stream_options.include_usage
            return EventSourceResponse(chat_events(view, with_usage), headers=headers)
        return JSONResponse(view.model_dump(mode="json"), headers=headers)

    return router


def _answers() -> Responses:
    streamed = {"text/event-stream": {"schema": {"type": "string"}}}
    return {200: {"model": ChatView, "description": "The answer; with `stream`, OpenAI's chunks of it", "content": streamed}}
