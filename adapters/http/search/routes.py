"""Search over everything that was said."""

from fastapi import APIRouter, Request, Response

from adapters.http.common.documents import problems
from adapters.http.common.fields import JsonOnly
from adapters.http.common.gateway import Gateway
from adapters.http.common.provenance_views import ProvenanceView
from adapters.http.common.request_headers import CALL_HEADERS, Tenant
from adapters.http.search.bodies import SearchBody
from adapters.http.search.views import HitView, SearchView


def search_routes(gateway: Gateway) -> APIRouter:
    """The search route."""
    router = APIRouter(tags=["search"])
    answers = problems(400, 402, 413, 415, 422, 429, 502, 503, 504)

    @router.post("/v1/search", responses=answers, dependencies=[JsonOnly, *CALL_HEADERS])
    async def search(body: SearchBody, request: Request, response: Response, tenant: Tenant) -> SearchView:
        """Passages that answer the query, by words, by meaning, or both, best first.

        `score` is from 0 to 1 and compares between answers of one mode. By meaning: 0 is where texts that have nothing to do with
        one another lie, 1 where restatements begin, as measured for the embedding model. By words: the share of the query's words
        that the passage has, each weighed by how rare it is with you, squared. Hybrid: 1 - (1 - meaning)(1 - words). What scores
        0 is no hit. Below 0.2 a hit is a guess.
        """
        context = gateway.context(request, tenant)
        answer = await gateway.services.search(context, body.query, body.mode, body.limit, body.filters, body.min_score)
        response.headers.update(await gateway.budget_headers(tenant))
        return SearchView(
            hits=[HitView.of(hit) for hit in answer.hits],
            mode=answer.mode,
            degraded=answer.degraded,
            provenance=ProvenanceView.of(answer.provenance) if answer.provenance is not None else None,
        )

    return router
