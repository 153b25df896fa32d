"""The reference is what the code says today, and the site finds every page."""

from pathlib import Path

import pytest
import yaml

from serve_app.cli import LATE
from serve_app.settings.service import Settings
from tests.docs.reference import FOLDER, ROOT, pages


@pytest.mark.parametrize("name", ["http.md", "commands.md", "settings.md"])
def test_the_committed_reference_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "`just reference` writes it anew"


def test_the_reference_names_every_route_command_and_group_of_settings() -> None:
    written = pages()
    for command in ("up", "process", "eval", *LATE):
        assert f"`wordloop {command}`" in written["commands.md"]
    assert all(f"`{name}`" in written["settings.md"] for name in Settings.model_fields)
    assert "### `POST /v1/conversations`" in written["http.md"]


def test_every_page_stands_in_the_sites_navigation_and_every_entry_is_a_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = set(_pages(site["nav"]))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert named == there - {path for path in there if Path(path).parts[0] == "adr" and path not in named}
    assert len([path for path in there if path.startswith("how-to/")]) >= 10


def _pages(entries: list[object]) -> list[str]:
    found = []
    for entry in entries:
        value = next(iter(entry.values())) if isinstance(entry, dict) else entry
        found += _pages(value) if isinstance(value, list) else [str(value)]
    return found
