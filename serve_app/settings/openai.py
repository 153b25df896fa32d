"""The settings of the routes that clients of OpenAI's API call."""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from serve_app.settings.strict import Strict

USUAL_ALIASES: Final[Mapping[str, Literal["transcriber", "language_model", "embedder"]]] = {
    "whisper-1": "transcriber",
    "gpt-4o-transcribe": "transcriber",
    "gpt-4o-mini-transcribe": "transcriber",
    "text-embedding-3-small": "embedder",
    "text-embedding-ada-002": "embedder",
}
"""What clients name by default. No name of a chat model is among them: none of ours is like OpenAI's."""


class OpenAiSettings(Strict):
    """What clients of OpenAI's API find here (docs/clients.md).

    `aliases`: names that they bring along, by the model that answers to them. `input_ids`: the vocabulary of texts that come as
    token ids, which is OpenAI's own in every client that sends such; or `refuse`. `retention_days`: how long these routes keep
    the recordings and results they made; None keeps them like all others.
    """

    aliases: dict[str, Literal["transcriber", "language_model", "embedder"]] = Field(default_factory=lambda: dict(USUAL_ALIASES))
    input_ids: Literal["cl100k_base", "refuse"] = "cl100k_base"
    retention_days: float | None = Field(default=None, gt=0)
