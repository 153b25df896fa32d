"""Search over everything that was said."""

from fastapi import APIRouter, Request, Response

from adapters.http.bodies import JsonOnly, SearchBody
from adapters.http.documents import problems
from adapters.http.edge import Edge
from adapters.http.result_views import ProvenanceView
from adapters.http.terms import Tenant
from adapters.http.views import HitView, SearchView


def search_routes(edge: Edge) -> APIRouter:
    """The search route."""
    router = APIRouter(tags=["search"])
    answers = problems(400, 402, 413, 415, 422, 429, 502, 503, 504)

    @router.post("/v1/search", responses=answers, dependencies=[JsonOnly])
    async def search(body: SearchBody, request: Request, response: Response, tenant: Tenant) -> SearchView:
        """Passages that answer the query, by words, by meaning, or both."""
        answer = await edge.services.search(edge.context(request, tenant), body.query, body.mode, body.limit)
        response.headers.update(await edge.budget_headers(tenant))
        return SearchView(
            hits=[HitView.of(hit) for hit in answer.hits],
            mode=answer.mode,
            degraded=answer.degraded,
            provenance=ProvenanceView.of(answer.provenance) if answer.provenance is not None else None,
        )

    return router
