"""Texts longer than the model reads: cut between words, each piece read whole, no call longer for it than others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scripted import MovableClock
from application.text_groups import CHARACTERS_PER_CALL, TEXTS_PER_CALL, text_groups
from domain.call import CallContext
from domain.long_texts import even_spans
from ports.embedder import InputType, LongTexts
from tests.guarded import Bench, vectors


def offsets_of(text: str) -> list[tuple[int, int]]:
    """Two characters a token, and a new one after each space."""
    return [match.span() for match in re.finditer(r"\S{1,2}", text)]


@given(st.text(alphabet="ab ", max_size=200), st.integers(1, 20))
def test_every_token_is_in_one_piece_and_no_piece_has_too_many(text: str, most: int) -> None:
    offsets = offsets_of(text)
    spans = even_spans(offsets, most)
    counts = [sum(start <= first and last <= end for first, last in offsets) for start, end in spans]

    assert sum(counts) == len(offsets)
    assert all(1 <= count <= most for count in counts)
    assert spans == sorted(spans)


def test_pieces_are_of_like_length_and_end_with_a_word() -> None:
    text = "abcd efgh " * 10
    pieces = [text[start:end] for start, end in even_spans(offsets_of(text), 31)]

    assert [len(offsets_of(piece)) for piece in pieces] == [20, 20]
    assert all(piece.endswith("efgh") for piece in pieces)


def test_a_word_that_is_too_long_by_itself_is_cut_inside() -> None:
    assert even_spans(offsets_of("a" * 20), 4) == [(0, 8), (8, 16), (16, 20)]


@given(st.lists(st.sampled_from(["a", "b" * 1000, "c" * 40_000]), max_size=200))
def test_groups_keep_the_order_and_their_bounds(texts: list[str]) -> None:
    groups = list(text_groups(texts))

    assert [text for group in groups for text in group] == texts
    for group in groups:
        assert 1 <= len(group) <= TEXTS_PER_CALL
        assert len(group) == 1 or sum(map(len, group)) <= CHARACTERS_PER_CALL


@pytest.mark.parametrize("first", LongTexts)
async def test_a_pooled_answer_is_never_served_to_who_has_long_texts_refused(first: LongTexts) -> None:
    bench = Bench(clock=MovableClock())
    backend = bench.backend(vectors([1.0, 0.0]), vectors([0.0, 1.0]))
    embedder = bench.embedder(backend)
    keys = []
    for long_texts in (first, *(other for other in LongTexts if other is not first)):
        answer = await bench.clock.run(embedder.embed(["a"], InputType.DOCUMENT, CallContext(job_id="j"), long_texts))
        keys.append(answer.provenance.key)

    assert keys[0] != keys[1]
    assert [asked.request.parameters.get("long_texts") for asked in backend.asked].count("pool") == 1
