"""OpenAI's chat route over the guarded language model: cache, budget, breaker and validation hold here as everywhere."""

from fastapi import APIRouter, Request, Response

from adapters.http.answer_schema import schema_of
from adapters.http.bodies import JsonOnly
from adapters.http.chat_bodies import ChatBody, ChatView
from adapters.http.documents import envelopes
from adapters.http.edge import Edge
from adapters.http.problems import HttpProblem
from adapters.http.terms import Tenant, TimeoutHeader
from domain.call import CallKind

REFUSALS = (400, 402, 404, 413, 415, 422, 429, 502, 503, 504)


def chat_routes(edge: Edge) -> APIRouter:
    """The route of `client.chat.completions.create`."""
    router = APIRouter(tags=["openai"])

    @router.post("/v1/chat/completions", responses=envelopes(*REFUSALS), dependencies=[JsonOnly, TimeoutHeader])
    async def complete(body: ChatBody, request: Request, response: Response, tenant: Tenant) -> ChatView:
        """An answer of the served language model. One that is cut off at its token limit is refused, not handed out (502)."""
        body.refuse_unsupported()
        schema = schema_of(body.response_format)
        if sum(len(words) for _, words in (message.pair for message in body.messages)) > edge.limits.text_characters:
            raise HttpProblem("too_large", f"The messages have more than {edge.limits.text_characters} characters.", "messages")
        await edge.check_model(body.model, CallKind.GENERATE)
        port = edge.services.language_model
        prompt = body.prompt(schema, port.context_tokens)
        answer = await port.generate(prompt, edge.context(request, tenant, edge.limits.inline_chat_s))
        response.headers.update(await edge.budget_headers(tenant))
        return ChatView.of(answer, schema is None, edge.services.clock.now())

    return router
