"""The reader of the docs is no yes-man: what a page says wrongly is seen."""

from pathlib import Path

import pytest

from serve_app.errors import ConfigurationInvalid
from tests.docs.guide import Reader, follow


def reading(folder: Path, page: str) -> tuple[list[int], list[str]]:
    """Follow a page; return the lines of the blocks that ran, and the reasons of those that did not."""
    path = folder / "page.md"
    path.write_text(page)
    reader = Reader(folder, {"127.0.0.1:8000": "127.0.0.1:1"})
    reasons = [reason for _, reason in follow(path, reader)]
    return reader.ran, reasons


def test_variables_and_names_last_for_the_page_and_what_is_printed_is_compared(tmp_path: Path) -> None:
    shell = "```sh\nA=1\n```\n```sh\necho $A\n```\n```text\n1\n```\n"
    python = "```python\nb = 2\n```\n```python\nprint(b, 'x')\n```\n```text\n2 ...\n```\n"
    page = shell + python
    assert len(reading(tmp_path, page)[0]) == 6


def test_addresses_of_the_docs_become_those_of_the_test(tmp_path: Path) -> None:
    assert reading(tmp_path, "```sh\necho http://127.0.0.1:8000/x\n```\n```text\nhttp://127.0.0.1:1/x\n```\n")[0]


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("```sh\nfalse\n```\n", AssertionError),
        ("```sh\necho one\n```\n```text\ntwo\n```\n", AssertionError),
        ("```python\nraise OSError\n```\n", OSError),
        ("```yaml\napplications: [{name: w, import_path: 'a:b', args: {surprise: 1}}]\n```\n", ConfigurationInvalid),
        ("```cobol\nSTOP RUN.\n```\n", ValueError),
    ],
)
def test_what_a_page_says_wrongly_is_seen(tmp_path: Path, page: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        reading(tmp_path, page)


def test_a_block_is_left_out_for_a_reason_and_for_one_block_only(tmp_path: Path) -> None:
    page = '<!--- skip: next "needs a bucket" -->\n\n```sh\nfalse\n```\n\n```sh\ntrue\n```\n'

    ran, reasons = reading(tmp_path, page)

    assert (len(ran), reasons) == (1, ["needs a bucket"])


def test_a_block_that_is_left_out_without_a_reason_counts_for_neither(tmp_path: Path) -> None:
    assert reading(tmp_path, "<!--- skip: next -->\n\n```sh\nfalse\n```\n") == ([], [])
