"""CHANGELOG.md as data. `python -m tests.changelog` prints the notes of this version, or says why it can not be released."""

import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
RELEASE = re.compile(r"## \[(?P<version>Unreleased|\d+\.\d+\.\d+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?")
UNRELEASED = "Unreleased"


class NotAChangelog(ValueError):
    """The text breaks the form of Keep a Changelog 1.1.0."""


@dataclass(frozen=True)
class Release:
    """A version (or `Unreleased`), its ISO day (None before it is released), and what changed by kind."""

    version: str
    day: str | None
    changes: dict[str, list[str]] = field(default_factory=dict)


def parse(text: str) -> list[Release]:
    """Return the releases, newest first. Raises NotAChangelog with the number of the line that is wrong."""
    releases: list[Release] = []
    items: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            releases.append(_release(line, number))
            items = None
        elif line.startswith("### "):
            kind = line.removeprefix("### ")
            if kind not in KINDS or not releases or kind in releases[-1].changes:
                raise NotAChangelog(f"line {number}: {kind} is no kind of change, or stands there twice")
            items = releases[-1].changes.setdefault(kind, [])
        elif line.startswith("- "):
            if items is None:
                raise NotAChangelog(f"line {number}: a change without its kind")
            items.append(line.removeprefix("- "))
        elif line.startswith("  ") and items:
            items[-1] += " " + line.strip()
        elif line and releases:
            raise NotAChangelog(f"line {number}: neither a heading nor a change")
    return releases


def _release(line: str, number: int) -> Release:
    found = RELEASE.fullmatch(line)
    if found is None or (found["day"] is None) != (found["version"] == UNRELEASED):
        raise NotAChangelog(f"line {number}: not `## [{UNRELEASED}]`, nor `## [1.2.3] - 2026-11-30`")
    return Release(found["version"], found["day"])


def current_version() -> str:
    """Return the version that pyproject.toml holds: the one place where it stands."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def main() -> None:
    """Print the notes of this version; exit 1 when it has none."""
    version = current_version()
    notes = next((each for each in parse((ROOT / "CHANGELOG.md").read_text()) if each.version == version), None)
    if notes is None:
        sys.exit(f"CHANGELOG.md has no `## [{version}] - DAY`: move what is below `## [{UNRELEASED}]` under it, and commit that")
    for kind, changes in notes.changes.items():
        sys.stdout.write(f"{kind}\n" + "".join(f"- {change}\n" for change in changes))


if __name__ == "__main__":
    main()
