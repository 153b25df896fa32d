"""The changelog is in a form that tools read, and the version stands in one place."""

import json
from importlib.metadata import version

import pytest

from tests.changelog import ROOT, UNRELEASED, NotAChangelog, current_version, parse

HEAD = "# Changelog\n\nWords.\n\n"


def test_the_changelog_can_be_read_and_begins_with_what_is_not_released_yet() -> None:
    releases = parse((ROOT / "CHANGELOG.md").read_text())

    assert releases[0].version == UNRELEASED
    assert releases[0].changes
    assert all(changes for release in releases for changes in release.changes.values())
    assert len({release.version for release in releases}) == len(releases)


def test_releases_come_with_their_day_and_what_changed_by_kind() -> None:
    newest, older = parse(f"{HEAD}## [Unreleased]\n\n## [1.2.0] - 2026-11-30\n\n### Fixed\n\n- One\n  thing.\n- Another.\n")

    assert (newest.version, newest.changes) == (UNRELEASED, {})
    assert (older.version, older.day, older.changes) == ("1.2.0", "2026-11-30", {"Fixed": ["One thing.", "Another."]})


@pytest.mark.parametrize(
    "text",
    [
        "## Unreleased\n",
        "## [1.2.0]\n",
        "## [Unreleased] - 2026-11-30\n",
        "## [Unreleased]\n### New\n",
        "## [Unreleased]\n- One.\n",
        "## [Unreleased]\n### Added\n- One.\n### Added\n- Two.\n",
        "## [Unreleased]\nWords.\n",
    ],
)
def test_another_form_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(NotAChangelog, match=r"line \d+:"):
        parse(HEAD + text)


def test_the_version_stands_in_one_place() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())

    assert version("wordloop-ml") == current_version()
    assert document["info"]["version"] == current_version()
