"""Transcripts as text files."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from application.transcript_formats import (
    CUE_LINES,
    LINE_CHARACTERS,
    clock_time,
    cue_texts,
    cues,
    markdown,
    plain_text,
    short_time,
    subrip,
    web_vtt,
)
from domain.named_speakers import Speakers, SpeakerStatus
from domain.transcript import Coverage, Segment, SuspectSpan, Transcript, Word


def transcript(*segments: Segment, suspects: tuple[SuspectSpan, ...] = (), damaged: bool = False) -> Transcript:
    return Transcript("transcript_1", "en", 3700.0, segments, Coverage(10.0, 9.0, suspects), damaged=damaged)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "00:00:00,000"),
        (1.0004, "00:00:01,000"),
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (3661.5, "01:01:01,500"),
        (360_000.0, "100:00:00,000"),
        (-0.2, "00:00:00,000"),
    ],
)
def test_times_carry_over_into_minutes_and_hours(seconds, written):
    assert clock_time(seconds, ",") == written


@pytest.mark.parametrize(("seconds", "written"), [(0, "0:00"), (65.9, "1:05"), (3600, "1:00:00"), (36_061, "10:01:01")])
def test_times_for_people_are_short(seconds, written):
    assert short_time(seconds) == written


def test_subrip_numbers_its_cues_from_one():
    text = subrip(transcript(Segment(0, 0.5, 1.25, "Hello"), Segment(1, 2, 3, "Bye", speaker="Bob")))

    assert text == "1\n00:00:00,500 --> 00:00:01,250\nHello\n\n2\n00:00:02,000 --> 00:00:03,000\nBob: Bye\n\n"


def test_an_arrow_in_the_words_starts_no_cue_in_subrip():
    assert subrip(transcript(Segment(0, 0, 1, "a --> b"))).count("-->") == 1


def test_web_vtt_escapes_what_would_be_markup_and_names_speakers():
    text = web_vtt(transcript(Segment(0, 0, 1, "a <b> & c --> d", speaker="A&B")))

    assert text == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v A&amp;B>a &lt;b&gt; &amp; c --&gt; d\n\n"


def test_an_empty_transcript_is_a_valid_file_of_every_kind():
    assert (subrip(transcript()), web_vtt(transcript()), plain_text(transcript())) == ("", "WEBVTT\n\n", "")


def test_line_breaks_in_the_words_end_no_cue():
    assert "one two three" in subrip(transcript(Segment(0, 0, 1, "one\n\ntwo\r\n three\x00")))


def test_a_long_segment_is_cut_between_words_at_the_words_own_times():
    spoken = [f"word{n:02d}" for n in range(30)]
    words = tuple(Word(n, n + 0.5, word, 1.0) for n, word in enumerate(spoken))
    first, *_, last = made = list(cues([Segment(0, 0, 29.5, " ".join(spoken), words=words)]))

    assert len(made) > 1
    assert " ".join(line for cue in made for line in cue.lines).split() == spoken
    shown = sum(len(line.split()) for line in first.lines)
    assert (first.start, first.end, made[1].start) == (0, shown - 1 + 0.5, shown)
    assert last.end == 29.5


def test_without_word_times_a_long_segment_is_shared_out_by_words():
    text = " ".join(["four"] * 40)
    made = list(cues([Segment(0, 10, 50, text)]))

    assert made[0].start == 10
    assert made[-1].end == 50
    assert [cue.end for cue in made[:-1]] == [cue.start for cue in made[1:]]


segments = some.lists(
    some.builds(
        lambda start, length, text: Segment(0, start, start + length, text),
        some.floats(0, 90_000),
        some.floats(0, 60),
        some.text(max_size=300),
    ),
    max_size=5,
)


@given(segments)
def test_any_words_give_well_formed_cues(given_segments):
    for cue in cues(given_segments):
        assert cue.end > cue.start
        assert 1 <= len(cue.lines) <= CUE_LINES
        assert all(0 < len(line) <= LINE_CHARACTERS for line in cue.lines)
    timing = re.compile(r"\d\d+:\d\d:\d\d\.\d{3} --> \d\d+:\d\d:\d\d\.\d{3}")
    header, *blocks = web_vtt(transcript(*given_segments)).strip("\n").split("\n\n")
    assert header == "WEBVTT"
    assert all(timing.fullmatch(block.split("\n")[0]) for block in blocks)
    assert all("-->" not in line for block in blocks for line in block.split("\n")[1:])


def test_markdown_says_what_has_no_text_and_lets_no_markup_in():
    text = markdown(
        transcript(Segment(0, 61, 62, "# [x](http://evil) *y* <b>"), suspects=(SuspectSpan(5, 65, "loop"),), damaged=True)
    )

    assert "90% of the speech has text" in text
    assert r"**[1:01]** \# \[x\](http://evil) \*y\* \<b\>" in text
    assert "- 0:05 to 1:05: loop" in text
    assert "damaged" in text


def test_markdown_says_when_speakers_could_not_be_told():
    speakers = Speakers(SpeakerStatus.FAILED, "speaker_model_unavailable")
    text = markdown(replace(transcript(Segment(0, 0, 1, "Hi")), speakers=speakers))

    assert "- Who speaks could not be told: speaker_model_unavailable." in text


def test_plain_text_is_one_segment_a_line():
    assert (
        plain_text(transcript(Segment(0, 0, 1, "Hi", speaker="Ann"), Segment(1, 1, 2, " "), Segment(2, 2, 3, "Bye")))
        == "Ann: Hi\nBye\n"
    )


def test_a_cue_stays_until_it_can_be_read_but_never_into_the_next():
    quick = Segment(0, 0.0, 0.4, "We ship on Friday, all of it.")
    hurried = Segment(1, 1.0, 1.2, "And then we shall see about that.")
    last = Segment(2, 5.0, 5.1, "Right.")

    made = [(cue.start, round(cue.end, 2)) for cue in cues([quick, hurried, last])]

    assert made == [(0.0, 1.0), (1.0, 2.94), (5.0, 5.35)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (
            "We will not ship it this week since the release is on Friday. Ask me again on Monday or Tuesday.",
            ["We will not ship it this week since the release is on Friday.", "Ask me again on Monday or Tuesday."],
        ),
        (
            "We will not ship it this week because of the release, so ask me again on Monday or on Tuesday",
            ["We will not ship it this week because of the release,", "so ask me again on Monday or on Tuesday"],
        ),
        ("It fits.", ["It fits."]),
        ("", []),
    ],
)
def test_a_cue_ends_where_a_sentence_or_clause_does_if_no_cue_more_is_needed_for_it(text, pieces):
    assert cue_texts(text) == pieces


def test_no_cue_is_left_with_a_word_alone():
    text = " ".join(["several"] * 12)
    made = list(cues([Segment(0, 0.0, 20.0, text)]))
    assert [sum(len(line.split()) for line in cue.lines) for cue in made] == [6, 6]
