"""The record of the digest of every prompt version and template: words can not change behind a version's back."""

import tomllib
from pathlib import Path
from typing import Final

from prompts.library import FOLDER, all_versions, load, names, versions
from prompts.templates import template_digest, template_names, template_version

LOCK: Final = FOLDER / "lock"
NEW: Final = "not recorded yet"
HEAD: Final = (
    "# Digest of every prompt version and template; written by `python -m prompts lock`. Changed words need a new version.\n"
)


def recorded(path: Path = LOCK) -> dict[tuple[str, str], str]:
    """Return the digests that the lock file holds, by name and version; empty without one."""
    if not path.exists():
        return {}
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("prompt", [])
    return {(entry["name"], entry["version"]): entry["digest"] for entry in entries}


def current() -> dict[tuple[str, str], str]:
    """Return the digests that the files have now, by name and version."""
    return {(name, version): load(name, version).digest for name in names() for version in all_versions(name)}


def lock_problems(path: Path = LOCK) -> tuple[str, ...]:
    """Return one sentence for each prompt version that is not as recorded, with what to do; empty means all is well."""
    held, now = recorded(path), current()
    changed = [
        f"{name} {version}: words, schema or sampling changed without a new version. Take the change back, or move it to "
        f"prompts/{name}/v{int(versions(name)[-1][1:]) + 1}.md with that version in its front matter; "
        "then run `python -m prompts lock`."
        for (name, version), digest in held.items()
        if now.get((name, version), digest) != digest
    ]
    gone = [
        f"{n} {v}: recorded, but its file is gone. Put prompts/{n}/{v}.md back, or take its entry out of prompts/lock."
        for n, v in held
        if (n, v) not in now
    ]
    new = [f"{n} {v}: {NEW}. Run `python -m prompts lock` and commit prompts/lock." for n, v in now if (n, v) not in held]
    return (*changed, *gone, *new, *template_problems(path))


def recorded_templates(path: Path = LOCK) -> dict[str, tuple[str, str]]:
    """Return version and digest of every template that the lock file holds, by name."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("template", []) if path.exists() else []
    return {entry["name"]: (entry["version"], entry["digest"]) for entry in entries}


def current_templates() -> dict[str, tuple[str, str]]:
    """Return version and digest of every template as the files have them now, by name."""
    return {name: (template_version(name), template_digest(name)) for name in template_names()}


def template_problems(path: Path = LOCK) -> tuple[str, ...]:
    """Return one sentence for each template that is not as recorded; a template of a new version is only not recorded yet."""
    held, now = recorded_templates(path), current_templates()
    gone = [
        f"template {name}: recorded, but its file is gone. Put prompts/templates/{name}.toml back, or take its entry out of "
        "prompts/lock."
        for name in held
        if name not in now
    ]
    changed = [
        f"template {name} {version}: changed without a new version. Take the change back, or give prompts/templates/{name}.toml "
        f'version = "v{int(version[1:]) + 1}"; then run `python -m prompts lock`.'
        for name, (version, digest) in now.items()
        if name in held and held[name][0] == version and held[name][1] != digest
    ]
    new = [
        f"template {name} {version}: {NEW}. Run `python -m prompts lock` and commit prompts/lock."
        for name, (version, _) in now.items()
        if name not in held or held[name][0] != version
    ]
    return (*gone, *changed, *new)


def write_lock(path: Path = LOCK) -> tuple[str, ...]:
    """Record new versions and return what stands against it; nothing is written while a recorded one differs."""
    wrong = tuple(problem for problem in lock_problems(path) if NEW not in problem)
    if not wrong:
        entries = (
            f'\n[[prompt]]\nname = "{n}"\nversion = "{v}"\ndigest = "{digest}"\n' for (n, v), digest in sorted(current().items())
        )
        templates = (
            f'\n[[template]]\nname = "{n}"\nversion = "{v}"\ndigest = "{digest}"\n'
            for n, (v, digest) in sorted(current_templates().items())
        )
        path.write_text(HEAD + "".join([*templates, *entries]), encoding="utf-8")
    return wrong
