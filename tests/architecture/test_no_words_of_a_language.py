"""The recap knows no word of any language: what a conversation came to is read by models, and checked by counting."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

RECAP = Path(__file__).parents[2] / "application" / "recap"
MOST_WORDS = 5
"""Of a list: the names of a few things of our own, and no vocabulary yet."""
ALLOWED = {("languages.py", "NAMES")}
"""How languages are called in a prompt."""
WORD = re.compile(r"[^\W\d_]{2,}(?:['’-][^\W\d_]+)*")
ESCAPES = re.compile(r"\\.|[()?:+*^$]|\s")
ALTERNATION = re.compile(r"[^\W\d_]\|[^\W\d_]")
MANY = (ast.Tuple, ast.List, ast.Set)


def vocabularies(source: str, file: str = "") -> list[str]:
    """Return what a module knows of a language: words in an alternation, lists of words, texts that are cut into words."""
    tree = ast.parse(source)
    skipped = _docstrings(tree) | _allowed(tree, file)
    nodes = [node for node in ast.walk(tree) if id(node) not in skipped]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = [f"alternation in {text!r}" for text in texts if ALTERNATION.search(ESCAPES.sub("", text))]
    for node in nodes:
        if isinstance(node, (*MANY, ast.Dict)):
            words = [text for text in _texts(node) if WORD.fullmatch(text) and text == text.lower()]
            found += [f"list of {len(words)} words: {words[:3]} ..."] * (len(words) > MOST_WORDS)
        if isinstance(node, ast.Call):
            found += [f"text cut into words: {text[:40]!r}" for text in _cut(node) if len(WORD.findall(text)) > MOST_WORDS]
    return found


def _docstrings(tree: ast.AST) -> set[int]:
    """A string that stands alone, behind a head or behind an assignment."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _allowed(tree: ast.AST, file: str) -> set[int]:
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return {id(inner) for node in assigned if (file, getattr(node.target, "id", "")) in ALLOWED for inner in ast.walk(node)}


def _texts(node: ast.AST) -> Iterator[str]:
    parts = [*node.keys, *node.values] if isinstance(node, ast.Dict) else getattr(node, "elts", [])
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _cut(call: ast.Call) -> Iterator[str]:
    """The texts of `"...".split()` and of functions of `re`."""
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        of_re = isinstance(owner, ast.Name) and owner.id == "re"
        parts = call.args if of_re else [owner] if call.func.attr in ("split", "splitlines") else []
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield re.sub(r"\\.", " ", part.value)


def test_the_recap_knows_no_word_of_any_language() -> None:
    files = sorted(RECAP.rglob("*.py"))
    assert len(files) > 12
    assert not {path.name: found for path in files if (found := vocabularies(path.read_text(encoding="utf-8"), path.name))}


@pytest.mark.parametrize(
    "planted",
    [
        'CUE = re.compile(r"\\bwe (?:decided|agreed)\\b")',
        'CUE = re.compile(r"\\bdecided\\b|\\bagreed\\b")',
        'CUE = r"(?i)entschieden | beschlossen"',
        'CUE = rf"{START}(décidé|convenu){END}"',
        'CUES = ("we", "will", "let", "us", "do", "that")',
        'FILLERS = {"um", "uh", "like", "actually", "basically", "so"}',
        'FILLERS = frozenset(["ähm", "also", "halt", "eben", "ja", "nun"])',
        'DAYS = {"montag": 0, "dienstag": 1, "mittwoch": 2, "donnerstag": 3, "freitag": 4, "samstag": 5}',
        'STOP = "the a of and or to in".split()',
        'STOP = re.findall(r"\\w+", "the of and or to in that")',
        'def cue(x):\n    return x in ["we", "will", "let", "us", "do", "that"]',
        'NAMES: Final = {"we": 1, "will": 2, "let": 3, "us": 4, "do": 5, "that": 6}',
    ],
)
def test_a_planted_vocabulary_is_seen(planted: str) -> None:
    assert vocabularies(planted, "cues.py")


@pytest.mark.parametrize(
    "plain",
    [
        '"""We decided|agreed, and um, uh, like, actually, basically, so on."""',
        'X = 1\n"""a|b"""',
        'TEMPLATES = ("general", "stand-up", "interview", "sales-call", "lecture")',
        'raise ValueError("no whole sentence, or a link, or markup, or anything else")',
        'END = re.compile(r"[.!?]\\s+|(?<=[。！？])\\s*")',
        'LINK = re.compile(r"(?:\\b\\w+:)?//\\S+|\\bwww\\.\\S+")',
        "def f(x: int | None) -> str | None: ...",
    ],
)
def test_what_knows_no_language_is_let_pass(plain: str) -> None:
    assert vocabularies(plain, "cues.py") == []


def test_the_names_of_languages_are_the_one_exception_and_are_there() -> None:
    source = (RECAP.parents[1] / "domain" / "languages.py").read_text(encoding="utf-8")
    assert vocabularies(source, "languages.py") == []
    assert vocabularies(source, "another.py")
