"""The template of a recap, from what a request says of it, and a recap in the shape of its template."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol, cast

from application.payloads import TemplateChoice
from domain.errors import InvalidRequest
from domain.recap import ActionItem, Recap, Statement
from domain.template import SECTIONS, Template

STATEMENTS: Final = ("summary", "key_points", "decisions", "action_items", "open_questions")
"""Sections whose statements count for the support of a recap."""


class Templates(Protocol):
    """Where templates come from (the package `prompts`)."""

    @abstractmethod
    def template(self, name: str) -> Template:
        """Return a template. Raises LookupError for one that does not exist."""


@dataclass(frozen=True, slots=True)
class ChosenTemplate:
    """A template, and the language (ISO 639) that the recap is to be written in; None for that of the conversation."""

    template: Template
    language: str | None = None


def chosen(templates: Templates, asked: TemplateChoice) -> ChosenTemplate:
    """Return what a request asks for: a template by its name, or one with changes of its own.

    Instructions of the base stay where the request has none and keeps the section. Raises InvalidRequest.
    """
    wanted = cast(Mapping[str, str], {"base": asked} if isinstance(asked, str) else asked)
    try:
        base = templates.template(wanted.get("base", "general"))
    except LookupError as error:
        raise InvalidRequest("There is no such template.") from error
    sections = tuple(wanted.get("sections") or base.sections)
    kept = {section: words for section, words in base.instructions.items() if section in sections}
    own = cast(Mapping[str, str], wanted.get("instructions") or {})
    shaped = replace(base, sections=sections, instructions=kept | dict(own), length=wanted.get("length") or base.length)
    return ChosenTemplate(shaped, wanted.get("language"))


def shaped(recap: Recap, template: Template) -> Recap:
    """Return the recap with its template's sections in order, and nothing in those that it leaves out."""
    left_out = {section: () for section in SECTIONS if section not in template.sections and getattr(recap, section)}
    kept: Recap = replace(recap, sections=template.sections, **left_out)  # type: ignore[arg-type]
    if not left_out:
        return kept
    parts: list[Statement | ActionItem] = [part for section in STATEMENTS for part in getattr(kept, section)]
    return replace(kept, support=round(sum(part.support for part in parts) / len(parts), 3) if parts else 1.0)
