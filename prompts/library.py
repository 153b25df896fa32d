"""Loads and renders prompt files."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from domain.call import PromptReference
from domain.canonical import Json, sha256_of
from domain.prompt import RenderedPrompt, Sampling

FOLDER: Final = Path(__file__).parent
HOLE: Final = re.compile(r"\{\{(\w+)\}\}")
MESSAGE: Final = re.compile(r"^# (system|user|assistant)[ \t]*$", re.MULTILINE)
VERSION: Final = re.compile(r"v([1-9]\d*)")
TRANSLATION: Final = re.compile(r"v[1-9]\d*\.[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of one prompt.

    `choices` names holes that take one of a fixed set of words: `{"focus": {"lecture": "..."}}`; a caller gives the key.
    """

    name: str
    version: str
    purpose: str
    messages: tuple[tuple[str, str], ...]
    choices: Mapping[str, Mapping[str, str]]
    schema: Mapping[str, Json] | None
    sampling: Sampling

    @property
    def holes(self) -> frozenset[str]:
        return frozenset(hole for _, words in self.messages for hole in HOLE.findall(words))

    @property
    def digest(self) -> str:
        """SHA-256 over the words, the choices, the schema and the sampling parameters: all that changes the output."""
        return sha256_of(
            {
                "messages": [list(message) for message in self.messages],
                "choices": {hole: dict(words) for hole, words in self.choices.items()},
                "schema": self.schema,
                "sampling": self.sampling.parameters(),
            }
        )

    @property
    def reference(self) -> PromptReference:
        return PromptReference(self.name, self.version, self.digest)

    @property
    def words(self) -> int:
        """Words of the prompt before its holes are filled: the fixed part of its cost."""
        return sum(len(words.split()) for _, words in self.messages)

    def render(self, **values: str) -> RenderedPrompt:
        """Fill every hole and return the messages ready to send.

        Values are put in once and never read for holes of their own. Raises ValueError when a value is missing,
        names no hole, or is none of the choices of its hole.
        """
        missing, extra = self.holes - values.keys(), values.keys() - self.holes
        if missing or extra:
            raise ValueError(f"prompt {self.name} {self.version}: missing {sorted(missing)}, unknown {sorted(extra)}")
        words = {hole: self._words(hole, value) for hole, value in values.items()}
        messages = tuple((role, HOLE.sub(lambda hole: words[hole[1]], text)) for role, text in self.messages)
        return RenderedPrompt(self.reference, messages, self.schema, self.sampling)

    def _words(self, hole: str, value: str) -> str:
        if hole not in self.choices:
            return value
        if value not in self.choices[hole]:
            raise ValueError(f"prompt {self.name} {self.version}: {hole} is one of {sorted(self.choices[hole])}")
        return self.choices[hole][value]


def parse(name: str, version: str, text: str) -> Prompt:
    """Read the text of a prompt file. Raises ValueError when its front matter does not fit its place or its holes."""
    try:
        _, front, body = re.split(r"^\+\+\+[ \t]*$", text.replace("\r\n", "\n"), maxsplit=2, flags=re.MULTILINE)
    except ValueError:
        raise ValueError(f"{name}/{version}.md has no front matter between +++ lines") from None
    head = tomllib.loads(front)
    unknown = head.keys() - {"name", "version", "purpose", "sampling", "schema", "choices"}
    if unknown or (head["name"], head["version"]) != (name, version):
        raise ValueError(f"{name}/{version}.md: front matter of {head['name']} {head['version']}, unknown keys {sorted(unknown)}")
    parts = MESSAGE.split(body)
    messages = tuple((role, words.strip()) for role, words in zip(parts[1::2], parts[2::2], strict=True))
    schema = cast(Mapping[str, Json], json.loads(head["schema"])) if "schema" in head else None
    prompt = Prompt(name, version, head["purpose"], messages, head.get("choices", {}), schema, Sampling(**head["sampling"]))
    if not messages or prompt.choices.keys() - prompt.holes:
        raise ValueError(f"{name}/{version}.md: no message, or choices for a hole that is not there")
    return prompt


def names() -> tuple[str, ...]:
    """Return the names of all prompts."""
    return tuple(sorted(path.name for path in FOLDER.iterdir() if any(path.glob("v*.md"))))


def versions(name: str) -> tuple[str, ...]:
    """Return the versions of a prompt, oldest first, without their translations; empty for an unknown name."""
    found = [path.stem for path in (FOLDER / name).glob("v*.md") if VERSION.fullmatch(path.stem)]
    return tuple(sorted(found, key=lambda version: int(version[1:])))


def translations(name: str, version: str) -> tuple[str, ...]:
    """Return the translations of a version, as versions of their own: `v1.de`, `v1.fr`."""
    return tuple(sorted(path.stem for path in (FOLDER / name).glob(f"{version}.*.md") if TRANSLATION.fullmatch(path.stem)))


def all_versions(name: str) -> tuple[str, ...]:
    """Return the versions of a prompt, oldest first, each before its translations."""
    return tuple(each for version in versions(name) for each in (version, *translations(name, version)))


def in_use(name: str) -> tuple[str, ...]:
    """Return the newest version of a prompt and its translations."""
    newest = versions(name)[-1]
    return (newest, *translations(name, newest))


@lru_cache(maxsize=64)
def load(name: str, version: str | None = None, language: str | None = None) -> Prompt:
    """Return a prompt, its newest version unless one is named, in `language` (`de`) where it is translated.

    Raises LookupError for one that does not exist.
    """
    known = versions(name) if re.fullmatch(r"\w+", name) else ()
    chosen = version or (known[-1] if known else None)
    if chosen is None or not known or chosen not in all_versions(name):
        raise LookupError(f"no prompt {name} {version or ''}".strip())
    translated = f"{chosen}.{language}"
    file = translated if translated in translations(name, chosen) else chosen
    return parse(name, file, (FOLDER / name / f"{file}.md").read_text(encoding="utf-8"))
