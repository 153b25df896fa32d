"""The tables of docs/security.md name tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEST = re.compile(r"`(test_[a-z0-9_]+)`")


def test_every_test_that_the_security_document_names_is_there() -> None:
    named = set(TEST.findall((ROOT / "docs" / "security.md").read_text()))
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_[a-z0-9_]+)\(", code))
    assert len(named) > 40
    assert named - there == set()


def test_every_row_of_the_tables_names_a_test() -> None:
    rows = [line for line in (ROOT / "docs" / "security.md").read_text().splitlines() if re.match(r"\| (API|LLM)\d", line)]
    assert len(rows) == 20
    for row in rows:
        assert TEST.search(row), row
