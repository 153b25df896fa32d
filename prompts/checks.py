"""What has to hold before changed prompts land: recorded words, a use for each prompt, and scores for each version in use."""

import ast
import json
from pathlib import Path
from typing import Final

from prompts.library import FOLDER, Prompt, in_use, load, names
from prompts.lock import lock_problems

ROOT: Final = FOLDER.parent
CALLERS: Final = ("application", "adapters", "serve_app")
"""Packages that send prompts."""
SCORES: Final = ROOT / "evals" / "scores" / "recap.json"
"""Scores by digest of the prompt that was in use; written by `python -m evals.prompt_scores`."""


def problems() -> tuple[str, ...]:
    """Return one sentence, with what to do, for each thing that stands against the prompts as they are."""
    return (*lock_problems(), *unused_problems(), *translation_problems(), *score_problems())


def used(root: Path = ROOT) -> frozenset[str]:
    """Return the names that the code loads: the literal first argument of every call of something named `load`."""
    found: set[str] = set()
    for package in CALLERS:
        for path in sorted((root / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load" and node.args:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        found.add(first.value)
    return frozenset(found)


def unused_problems(root: Path = ROOT) -> tuple[str, ...]:
    """Return a sentence for each prompt that no code loads."""
    loaded = used(root)
    return tuple(
        f"{name}: no code loads it. Delete prompts/{name}/ and its entries in prompts/lock, or load it in {CALLERS[0]}/."
        for name in names()
        if name not in loaded
    )


def translation_problems() -> tuple[str, ...]:
    """Return a sentence for each translation that asks for another answer than its original, or leaves a hole out."""
    found: list[str] = []
    for name in names():
        original, *translated = (load(name, version) for version in in_use(name))
        found += [
            f"{name} {each.version}: schema, sampling, holes or roles are not those of {original.version}. "
            f"Change prompts/{name}/{each.version}.md until only its words differ."
            for each in translated
            if _asked(each) != _asked(original)
        ]
    return tuple(found)


def _asked(prompt: Prompt) -> object:
    """What a prompt asks for, whatever its words are."""
    return prompt.schema, prompt.sampling, prompt.holes, [role for role, _ in prompt.messages]


def score_problems(path: Path = SCORES) -> tuple[str, ...]:
    """Return a sentence for each prompt whose newest version, the one in use, has no recorded evaluation scores."""
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    newest = (load(name, version) for name in names() for version in in_use(name))
    return tuple(
        f"{prompt.name} {prompt.version}: no evaluation scores are recorded for these words. "
        "Run `python -m evals.prompt_scores` and commit evals/scores/recap.json."
        for prompt in newest
        if not held.get(prompt.digest, {}).get("scores")
    )
