"""The record of every prompt version's digest: words can not change behind a version's back."""

import tomllib
from pathlib import Path
from typing import Final

from prompts.library import FOLDER, load, names, versions

LOCK: Final = FOLDER / "lock"
NEW: Final = "not recorded yet"
HEAD: Final = "# Digest of every prompt version; written by `python -m prompts lock`. Changed words need a new version.\n"


def recorded(path: Path = LOCK) -> dict[tuple[str, str], str]:
    """Return the digests that the lock file holds, by name and version; empty without one."""
    if not path.exists():
        return {}
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("prompt", [])
    return {(entry["name"], entry["version"]): entry["digest"] for entry in entries}


def current() -> dict[tuple[str, str], str]:
    """Return the digests that the files have now, by name and version."""
    return {(name, version): load(name, version).digest for name in names() for version in versions(name)}


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
    return tuple(changed + gone + new)


def write_lock(path: Path = LOCK) -> tuple[str, ...]:
    """Record new versions and return what stands against it; nothing is written while a recorded one differs."""
    wrong = tuple(problem for problem in lock_problems(path) if NEW not in problem)
    if not wrong:
        entries = (
            f'\n[[prompt]]\nname = "{n}"\nversion = "{v}"\ndigest = "{digest}"\n' for (n, v), digest in sorted(current().items())
        )
        path.write_text(HEAD + "".join(entries), encoding="utf-8")
    return wrong
