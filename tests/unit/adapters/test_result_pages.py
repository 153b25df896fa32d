"""Recaps and transcripts as pages: whole, without script, and with every word of a conversation as text."""

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.pages import JinjaPages
from application.recap_outline import recap_outline
from application.transcript_formats import one_line, transcript_outline
from domain.recap import ActionItem, Chapter, Statement
from domain.transcript import Segment
from tests.documents import EMPTY, FULL, SEGMENTS, TRANSCRIPT

PAGES = JinjaPages()
HOSTILE = (
    "<",
    ">",
    "&",
    '"',
    "'",
    "</style><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "-->",
    "&lt;",
)
WORDS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=20), min_size=1, max_size=4).map("".join).filter(one_line)


class Seen(HTMLParser):
    """The tags with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str) -> list[str | None]:
        return [value for _, attributes in self.tags for key, value in attributes if key == name]


def test_every_time_of_a_recap_leads_to_an_anchor_of_its_transcript():
    recap, transcript = Seen(PAGES.recap(recap_outline(FULL, SEGMENTS))), Seen(PAGES.transcript(transcript_outline(TRANSCRIPT)))
    page, _, anchors = zip(*(str(link).partition("#") for link in recap.values("href")), strict=True)

    assert set(page) == {"/v1/transcripts/transcript_1?format=html"}
    assert set(anchors) == set(transcript.values("id")) == {f"t-{n}" for n in range(6)}


def test_a_page_is_one_document_with_a_language_that_fits_a_phone_and_loads_nothing():
    for page in (PAGES.recap(recap_outline(FULL, SEGMENTS)), PAGES.transcript(transcript_outline(TRANSCRIPT))):
        seen = Seen(page)
        assert page.startswith("<!doctype html>")
        assert ("html", (("lang", "en"),)) in seen.tags
        assert "width=device-width, initial-scale=1" in seen.values("content")
        assert not {tag for tag, _ in seen.tags} & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
        assert not seen.values("src")
        assert "url(" not in page
        assert "@import" not in page


def test_an_empty_recap_and_one_without_its_transcript_are_pages_too():
    assert "<h1>Recap</h1>" in PAGES.recap(recap_outline(EMPTY))
    assert Seen(PAGES.recap(recap_outline(FULL))).values("href") == []


def test_a_due_date_says_how_it_was_told():
    seen = Seen(PAGES.recap(recap_outline(FULL, SEGMENTS)))
    assert seen.values("datetime") == ["2026-12-04"]
    assert seen.values("title") == ['"Friday" as said on 2026-11-30 (dateparser, prefer future)']


def page_of(words: str) -> tuple[Seen, Seen]:
    """A recap and a transcript in which everything that can be said is `words`."""
    statement = Statement(words, (0,), 1.0, 2.0, 9.5, words)
    item = ActionItem(words, (0,), 1.0, words, words, "2026-12-04", words, 2.0, 9.5, words)
    chapter = Chapter(words, 2.0, 9.5, (0,), (statement,))
    recap = replace(
        EMPTY, transcript_id="t", title=words, summary=(statement,), action_items=(item,), chapters=(chapter,), degraded=(words,)
    )
    segments = (Segment(0, 2.0, 9.5, words, speaker=words),)
    transcript = replace(TRANSCRIPT, segments=segments)
    return Seen(PAGES.recap(recap_outline(recap, segments))), Seen(PAGES.transcript(transcript_outline(transcript)))


@given(words=WORDS)
@settings(max_examples=150, deadline=None)
def test_no_words_of_a_conversation_become_markup(words):
    for hostile, harmless in zip(page_of(words), page_of("x"), strict=True):
        assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
        assert [[key for key, _ in attributes] for _, attributes in hostile.tags] == [
            [key for key, _ in attributes] for _, attributes in harmless.tags
        ]
        assert hostile.values("href") == harmless.values("href")
        assert one_line(words) in one_line("".join(hostile.text))
