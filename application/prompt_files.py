"""Prompt files, as use cases see them."""

from typing import Protocol

from domain.prompt import RenderedPrompt, Sampling


class PromptLike(Protocol):
    """A prompt file, as the recap sees it (`prompts.Prompt`)."""

    @property
    def messages(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def sampling(self) -> Sampling: ...
    def render(self, **values: str) -> RenderedPrompt: ...


class Prompts(Protocol):
    """Where prompt files come from (the package `prompts`)."""

    def load(self, name: str, version: str | None = None, language: str | None = None) -> PromptLike: ...
