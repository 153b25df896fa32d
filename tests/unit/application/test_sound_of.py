"""A stretch of a decoded recording is read by its seconds, whole samples only."""

from pathlib import Path

import pytest

from application.sound_of import sound_of
from domain.audio import Span

SAMPLES = b"".join(number.to_bytes(2, "little") for number in range(16_000))


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(0.0, 1.0), SAMPLES),
        (Span(0.25, 0.5), SAMPLES[8_000:16_000]),
        (Span(0.9, 2.0), SAMPLES[28_800:]),
        (Span(3.0, 4.0), b""),
    ],
    ids=["all", "a part", "beyond the end", "after the end"],
)
def test_a_stretch_is_read_by_its_seconds(tmp_path: Path, span: Span, expected: bytes) -> None:
    (tmp_path / "a.pcm").write_bytes(SAMPLES)

    assert sound_of(tmp_path / "a.pcm", span) == expected


def test_half_a_sample_at_the_end_of_a_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.pcm").write_bytes(SAMPLES[:101])

    assert sound_of(tmp_path / "a.pcm", Span(0.0, 1.0)) == SAMPLES[:100]
