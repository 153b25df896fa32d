"""A template in a request: the name of one, or an object that shapes one."""

import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StringConstraints, model_validator
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema

from adapters.http.common.body import Body, Language
from application.payloads import TemplateChoice
from domain.template import INSTRUCTION_CHARACTERS, MOST_INSTRUCTIONS

NAME: Final = r"^[a-z][a-z0-9_-]{0,39}$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
Section = Literal["summary", "key_points", "decisions", "action_items", "open_questions", "chapters"]
Instruction = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=INSTRUCTION_CHARACTERS)]


def _few(instructions: Any) -> Any:
    """Count before anything else is looked at, so that too many are called too many. Raises ValueError."""
    if isinstance(instructions, dict) and len(instructions) > MOST_INSTRUCTIONS:
        raise ValueError(f"at most {MOST_INSTRUCTIONS} instructions, one for a section")
    return instructions


class TemplateBody(Body):
    """A template and what is to be different: its sections in order, the language of the recap, its length, and in the caller's
    words what matters in a section. What is not given is as in the base."""

    base: Name = "general"
    sections: Annotated[tuple[Section, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True})] | None = None
    instructions: Annotated[dict[Section, Instruction], Field(max_length=MOST_INSTRUCTIONS), BeforeValidator(_few)] = Field(
        default_factory=dict
    )
    language: Language | None = None
    length: Literal["short", "normal", "long"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, body: Any) -> Any:
        """A name alone stands for the template as it is."""
        return {"base": body} if isinstance(body, str) else body

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.sections is not None and len(set(self.sections)) < len(self.sections):
            raise ValueError("sections: each section once")
        left_out = set(self.instructions) - set(self.sections or self.instructions)
        if left_out:
            raise ValueError(f"instructions for sections that the template leaves out: {', '.join(sorted(left_out))}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Tell both spellings."""
        whole = handler.resolve_ref_schema(handler(schema))
        described = {"title": whole.pop("title"), "description": whole.pop("description"), "default": "general"}
        return described | {"anyOf": [{"type": "string", "pattern": NAME}, whole]}

    def choice(self) -> TemplateChoice:
        """Return what a job carries: the name alone where nothing else is given, so that equal requests look alike."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        return self.base if set(given) <= {"base"} else {"base": self.base, **given}


GENERAL: Final[Any] = Field(default=TemplateBody(), json_schema_extra={"default": "general"})
"""The field of a body that takes a template."""


def _from_form(value: Any) -> Any:
    """In a form every value is text: an object is JSON."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError("is no JSON object") from error
    return value


FormTemplate = Annotated[
    TemplateBody,
    BeforeValidator(_from_form),
    WithJsonSchema(
        {"type": "string", "default": "general", "description": "The name of a template, or a JSON object that shapes one"}
    ),
]
