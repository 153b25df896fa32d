"""The code speaks the words of docs/glossary.md, and those that it took leave of do not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.test_repository import tracked

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
PRODUCT = (
    "domain", "ports", "prompts", "application", "adapters", "serve_app", "evals", "benchmarks", "training", "dashboards",
)  # fmt: skip
MOST_WORDS = 40
ROW = re.compile(r"^\| (?P<word>[^|]+) \| [^|]+ \| `(?P<name>\w+)` \|$", re.MULTILINE)

INSTEAD = {
    "place": "slot, index, queue position or folder",
    "places": "slots or indices",
    "grave": "tombstone",
    "graves": "tombstones",
    "condemn": "set a tombstone",
    "condemned": "under a tombstone",
    "bury": "collect",
    "buried": "tombstone cleared",
    "burial": "collection",
    "house": "maintenance",
    "housekeeping": "maintenance",
    "foresee": "estimate",
    "foreseen": "estimated",
    "unheard": "estimated or undetermined",
    "terms": "options",
}
"""Words that no name is made of any more, and what says it instead."""
PROSE = re.compile(r"\b(?:condemn(?:s|ed|ing)?|graves?|bury|buri(?:es|ed|al)|unheard|foresee\w*)\b", re.IGNORECASE)
"""Words that no sentence of the code or the guides uses either."""
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names(source: str) -> Iterator[str]:
    """The identifiers of a module, those inside f-strings included."""
    for node in ast.walk(ast.parse(source)):
        for member in ("id", "attr", "arg", "name", "asname"):
            if isinstance(name := getattr(node, member, None), str):
                yield name


def gone(source: str) -> set[str]:
    """The identifiers that are made of a word which has left."""
    return {name for name in names(source) if not INSTEAD.keys().isdisjoint(CAPITAL.sub("_", name).lower().split("_"))}


def product() -> list[Path]:
    return [path for path in tracked(".py") if path.relative_to(ROOT).parts[0] in PRODUCT]


def test_the_glossary_is_short_and_every_name_of_it_stands_in_the_code() -> None:
    rows = ROW.findall(GLOSSARY.read_text(encoding="utf-8"))
    assert 30 < len(rows) <= MOST_WORDS
    assert len({word for word, _ in rows}) == len(rows)
    known = {name for path in product() for name in names(path.read_text(encoding="utf-8"))}
    assert {name for _, name in rows} <= known


def test_no_name_is_made_of_a_word_that_has_left() -> None:
    found = {str(path.relative_to(ROOT)): words for path in product() if (words := gone(path.read_text(encoding="utf-8")))}
    assert not found, INSTEAD


def test_no_sentence_uses_such_a_word_either() -> None:
    texts = [*product(), *(path for path in tracked(".md") if path.relative_to(ROOT).parts[:1] == ("docs",) and path != GLOSSARY)]
    found = {str(path.relative_to(ROOT)): words for path in texts if (words := PROSE.findall(path.read_text(encoding="utf-8")))}
    assert not found


@pytest.mark.parametrize(
    "planted", ["place = 1", "def bury() -> None: ...", "class KeepHouse: ...", 'x = f"{self.places}"', "f(terms=1)"]
)
def test_a_planted_word_is_seen(planted: str) -> None:
    assert gone(planted)


@pytest.mark.parametrize("plain", ["replace(x)", "is_placed = True", '"""A place."""', "warehouse = 1", "determs = 2"])
def test_what_only_sounds_like_it_is_let_pass(plain: str) -> None:
    assert not gone(plain)
