"""What a refusal looks like: problem+json, and OpenAI's error object."""

from pydantic import BaseModel


class ProblemErrorView(BaseModel):
    """One thing that is wrong with a request, and where: `segments.0.end`, `query.limit`."""

    location: str
    message: str


class ProblemView(BaseModel):
    """RFC 9457 problem details. `code` is the kind of error; `detail` says what is wrong in a sentence; `errors` lists it all."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[ProblemErrorView] | None = None


class ProblemKindView(BaseModel):
    """What a problem type stands for."""

    type: str
    title: str
    status: int


class OpenAIErrorBody(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorView(BaseModel):
    """The error object of OpenAI's API."""

    error: OpenAIErrorBody
