"""A language model that judges: any OpenAI-compatible server, asked through the production guard, as ragas wants it."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

from adapters.openai_compatible import ChatBackend, Connection, Server
from domain.call import CallContext, ModelIdentity, PromptReference
from domain.canonical import sha256_of
from domain.prompt import RenderedPrompt, Sampling
from evals.suite import NotSetUp
from ports.language_model import LanguageModel
from serve_app.composition.in_process import kept_language_model

URL, MODEL, KEY = "WORDLOOP_JUDGE_URL", "WORDLOOP_JUDGE_MODEL", "WORDLOOP_JUDGE_API_KEY"
SAMPLING: Final = Sampling(max_tokens=4096)
"""As steady as a judge can be: no chance, a fixed seed."""
CONTEXT_TOKENS: Final = 131_072
"""Only bounds what a call may be charged for: the server knows its own context, and refuses what is longer."""


@dataclass(frozen=True, slots=True)
class JudgeServer:
    """Where the judge is: `url` with `/v1`, `model` by the server's name for it."""

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)

    @staticmethod
    def of_environment() -> "JudgeServer":
        """Return the one that the environment names. Raises NotSetUp, with what to set."""
        url, model = os.environ.get(URL), os.environ.get(MODEL)
        if not url or not model:
            raise NotSetUp(f"set {URL} (an OpenAI-compatible server, with /v1) and {MODEL}, and {KEY} where it wants one")
        return JudgeServer(url, model, os.environ.get(KEY))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[LanguageModel]:
        """The model behind the guard: bounded, retried, answers kept on disk, so that none is paid for twice."""
        connection = Connection(Server(self.url, self.api_key))
        # Servers differ in what they call strict; whatever comes is held against the schema here.
        backend = ChatBackend(connection, ModelIdentity(self.model, "served", "openai_compatible", "unknown"), strict=False)
        try:
            with kept_language_model(backend, CONTEXT_TOKENS, "judge") as model:
                yield model
        finally:
            await connection.close()


def ragas_judge(model: LanguageModel) -> Any:
    """Return the model as ragas' kind of language model. Raises NotSetUp where ragas is not installed."""
    os.environ.setdefault("RAGAS_DO_NOT_TRACK", "true")
    try:
        from ragas.llms.base import InstructorBaseRagasLLM
    except ModuleNotFoundError as error:
        raise NotSetUp("the judge's metrics are those of ragas: uv sync --group evals") from error

    class Judge(InstructorBaseRagasLLM):  # type: ignore[misc]  # ragas is not typed for us
        def generate(self, prompt: str, response_model: Any) -> Any:
            raise NotImplementedError("the judge is asked on the event loop of its connections only")

        async def agenerate(self, prompt: str, response_model: Any) -> Any:
            """Return an instance of `response_model`. Raises what `LanguageModel.generate` raises."""
            schema = response_model.model_json_schema()
            digest = sha256_of([prompt, json.dumps(schema, sort_keys=True)])
            reference = PromptReference(f"ragas_{response_model.__name__}", version("ragas"), digest)
            rendered = RenderedPrompt(reference, (("user", prompt),), schema, SAMPLING)
            answer = await model.generate(rendered, CallContext(tenant="eval"))
            return response_model.model_validate(answer.value)

    return Judge()
