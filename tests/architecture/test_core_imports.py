"""The core imports the standard library and itself, and nothing else: whatever is not listed is refused, known or not."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ("domain", "ports", "prompts", "application")
ALLOWED = sys.stdlib_module_names | frozenset(CORE)
BY_NAME = ("import_module", "__import__", "find_spec", "run_module")
"""Functions that import what a string names."""


def imported(source: str) -> Iterator[str]:
    """Return the packages that a module imports, wherever it does so; `?` for one whose name is made at run time."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in BY_NAME:
                first = node.args[0] if node.args else None
                yield str(first.value).partition(".")[0] if isinstance(first, ast.Constant) else "?"


def foreign(source: str) -> list[str]:
    return sorted({package for package in imported(source) if package not in ALLOWED})


def test_the_core_imports_the_standard_library_and_itself_only() -> None:
    files = [path for package in CORE for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 80
    assert not {str(path.relative_to(ROOT)): found for path in files if (found := foreign(path.read_text(encoding="utf-8")))}


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("import torch", "torch"),
        ("import fastapi.routing as routing", "fastapi"),
        ("from pydantic import BaseModel", "pydantic"),
        ("from adapters import sql", "adapters"),
        ("import json, numpy", "numpy"),
        ("def late():\n    import regex\n", "regex"),
        ("try:\n    import orjson\nexcept ImportError:\n    orjson = None\n", "orjson"),
        ("import importlib\nimportlib.import_module('a_package_that_nobody_knows')", "a_package_that_nobody_knows"),
        ("name = 'torch'\n__import__(name)", "?"),
    ],
)
def test_a_planted_import_is_seen(line: str, package: str) -> None:
    assert foreign(line) == [package]


@pytest.mark.parametrize(
    "line", ["import re", "from collections.abc import Sequence", "from domain.call import Answer", "from . import x"]
)
def test_what_the_core_needs_is_allowed(line: str) -> None:
    assert foreign(line) == []
