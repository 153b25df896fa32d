"""Templates: which sections a recap has, in which order, how long it is, and what a caller wants of each section."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.errors import InvalidRequest

SECTIONS: Final = ("summary", "key_points", "decisions", "action_items", "open_questions", "chapters")
LENGTHS: Final = ("short", "normal", "long")
MOST_INSTRUCTIONS: Final = len(SECTIONS)
INSTRUCTION_CHARACTERS: Final = 300
"""Two or three sentences: enough to say what matters, too few to bring a text of one's own."""


@dataclass(frozen=True, slots=True)
class Template:
    """`sections` in the order in which they are read; one that is not named is left out.

    `instructions`: what is wanted of a section, in the caller's words. They are data for a hole of a prompt, never a template
    themselves. Raises InvalidRequest for unknown, repeated or no sections, an unknown length, and instructions that are too many,
    too long, or for no section.
    """

    name: str
    sections: tuple[str, ...] = SECTIONS
    instructions: Mapping[str, str] = field(default_factory=dict)
    length: str = "normal"

    def __post_init__(self) -> None:
        if not self.sections or len(set(self.sections)) < len(self.sections) or set(self.sections) - set(SECTIONS):
            raise InvalidRequest(f"The sections of a template are some of {', '.join(SECTIONS)}, each once.")
        if self.length not in LENGTHS:
            raise InvalidRequest(f"The length of a template is one of {', '.join(LENGTHS)}.")
        if len(self.instructions) > MOST_INSTRUCTIONS or set(self.instructions) - set(self.sections):
            raise InvalidRequest("The instructions of a template are for its own sections, one for each.")
        if any(not 1 <= len(words) <= INSTRUCTION_CHARACTERS for words in self.instructions.values()):
            raise InvalidRequest(f"An instruction has 1 to {INSTRUCTION_CHARACTERS} characters.")
