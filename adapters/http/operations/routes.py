"""For operators: alive, ready, which models, what the problem types mean."""

from fastapi import APIRouter

from adapters.http.common.documents import envelopes, problems
from adapters.http.common.gateway import Gateway
from adapters.http.common.problem_views import ProblemKindView
from adapters.http.common.problems import KINDS, HttpProblem
from adapters.http.operations.views import AliveView, ModelPage, ModelView, ReadyView, WarmModelView


def operations_routes(gateway: Gateway) -> APIRouter:
    """Health, models and the meaning of problems."""
    router = APIRouter(tags=["operations"])
    services = gateway.services

    @router.get("/livez")
    async def livez() -> AliveView:
        """The event loop turns. Asks nothing of anybody."""
        return AliveView()

    @router.get("/readyz", responses=problems(503))
    async def readyz() -> ReadyView:
        """Every model is warm and the store answers; else 503 with what is missing."""
        readiness = await services.readiness()
        models = [WarmModelView(id=m.id, kind=m.kind, ready=m.ready, detail=m.detail) for m in readiness.models]
        if readiness.ready:
            return ReadyView(models=models)
        cold = [model.model_dump(mode="json") for model in models if not model.ready]
        members = {"models": cold, "problems": list(readiness.problems)}
        headers = {"Retry-After": f"{gateway.limits.retry_after_s:.0f}"}
        raise HttpProblem("not_ready", "This service can not take work yet.", members=members, extra_headers=headers)

    @router.get("/v1/models", responses=envelopes(503))
    async def list_models() -> ModelPage:
        """The served models, with the state of their circuit breakers, then the further names that they answer to."""
        cards = {card.id: card for card in await services.models()}
        named = [ModelView.of(cards[name], alias) for alias, name in services.model_aliases.items() if name in cards]
        return ModelPage(data=[*map(ModelView.of, cards.values()), *named])

    @router.get("/v1/models/{model_id:path}", responses=envelopes(404, 503))
    async def get_model(model_id: str) -> ModelView:
        """One served model; ids may hold slashes."""
        name = services.model_aliases.get(model_id, model_id)
        for card in await services.models():
            if card.id == name:
                return ModelView.of(card, model_id if model_id != name else None)
        raise HttpProblem("model_not_found", "No served model has that name; see GET /v1/models.", "model")

    @router.get("/problems/{code}", responses=problems(404))
    async def get_problem(code: str) -> ProblemKindView:
        """What a problem `type` means."""
        if code not in KINDS:
            raise HttpProblem("not_found", "There is no such problem type.")
        return ProblemKindView(type=f"/problems/{code}", title=KINDS[code].title, status=KINDS[code].status)

    return router
