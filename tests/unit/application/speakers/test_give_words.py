"""Words are given to who speaks while they are said; segments are cut where the speaker changes, sentences for good reason."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from application.speakers.give_words import with_speakers
from domain.named_speakers import SpeakerStatus, ToldBy
from domain.speakers import SpeakerTurn
from domain.transcript import Coverage, Segment, Transcript, Word


def segment(text: str, start: float = 0.0, word_s: float = 0.4) -> Segment:
    """Words one after another, each of `word_s` seconds."""
    spoken = text.split()
    words = tuple(Word(start + n * word_s, start + (n + 1) * word_s, word, 0.9) for n, word in enumerate(spoken))
    return Segment(0, start, start + len(spoken) * word_s, text, words=words)


def transcript(*segments: Segment) -> Transcript:
    return Transcript("transcript_1", "en", 60.0, segments, Coverage(60.0, 60.0))


def told(made: Transcript) -> list[tuple[str | None, str]]:
    return [(s.speaker, s.text) for s in made.segments]


def given_words(turns: list[tuple[float, float, int]], *segments: Segment, names: tuple[str, ...] = ()) -> Transcript:
    return with_speakers(transcript(*segments), [SpeakerTurn(*turn) for turn in turns], names, ToldBy.VOICE)


def test_a_segment_is_cut_where_the_speaker_changes_and_numbered_anew() -> None:
    made = given_words(
        [(0, 1.2, 0), (1.2, 2.8, 1)], segment("Did it crash again yesterday at night?"), segment("Yes it did.", 2.8)
    )

    assert told(made) == [("Speaker 1", "Did it crash"), ("Speaker 2", "again yesterday at night?"), ("Speaker 2", "Yes it did.")]
    assert [s.id for s in made.segments] == [0, 1, 2]
    first, second, _ = made.segments
    assert (first.start, first.end, second.start, second.end) == pytest.approx((0, 1.2, 1.2, 2.8))
    assert [word.text for word in second.words] == ["again", "yesterday", "at", "night?"]
    assert (made.speakers.status, made.speakers.told_by, made.speakers.said_by) == (SpeakerStatus.FOUND, ToldBy.VOICE, (0, 1, 1))


def test_speakers_count_in_the_order_of_their_first_words_and_take_the_callers_names() -> None:
    turns = [(0.0, 1.0, 0), (5.0, 6.0, 3), (7.0, 8.0, 1), (9.0, 10.0, 3)]
    made = given_words(turns, segment("One two.", 5.0), segment("Three four.", 7.0), segment("Five six.", 9.0), names=("Ana",))

    assert told(made) == [("Ana", "One two."), ("Speaker 2", "Three four."), ("Ana", "Five six.")]
    assert made.speakers.labels == made.speakers.names == ("Ana", "Speaker 2")


def test_a_stray_word_of_a_tenth_of_a_second_cuts_no_sentence() -> None:
    made = given_words([(0, 1.2, 0), (1.3, 1.4, 1), (1.6, 4, 0)], segment("We ship the new release on Friday."))

    assert told(made) == [("Speaker 1", "We ship the new release on Friday.")]


def test_a_boundary_that_is_off_by_a_word_goes_back_to_the_end_of_the_sentence() -> None:
    late = given_words([(0, 1.6, 0), (1.6, 5, 1)], segment("I will do it. Thank you so much for that."))
    early = given_words([(0, 0.8, 0), (0.8, 5, 1)], segment("I will do. Thank you so much for that.", word_s=0.35))

    assert told(late) == [("Speaker 1", "I will do it."), ("Speaker 2", "Thank you so much for that.")]
    assert told(early) == [("Speaker 1", "I will do."), ("Speaker 2", "Thank you so much for that.")]


def test_a_short_answer_that_is_a_sentence_is_its_speakers_own() -> None:
    made = given_words([(0, 2.0, 0), (2.0, 2.4, 1), (2.4, 4, 0)], segment("Do we ship on Friday? Yes. Good to hear that."))

    assert told(made) == [("Speaker 1", "Do we ship on Friday?"), ("Speaker 2", "Yes."), ("Speaker 1", "Good to hear that.")]


def test_a_sentence_shorter_than_a_collar_stays_with_its_neighbour() -> None:
    made = given_words([(0, 0.6, 0), (0.6, 0.8, 1), (0.8, 2, 0)], segment("That was quick. Oh. And good too.", word_s=0.2))

    assert told(made) == [("Speaker 1", "That was quick. Oh. And good too.")]


def test_where_two_speak_at_once_whoever_spoke_goes_on() -> None:
    made = given_words([(0, 2.4, 1), (0.8, 2.0, 0)], segment("We could ship on Friday maybe."))

    assert told(made) == [("Speaker 1", "We could ship on Friday maybe.")]


def test_without_word_times_a_segment_goes_to_who_speaks_most_of_it() -> None:
    made = given_words([(0, 2, 0), (2, 6, 1)], Segment(0, 0.0, 5.0, "One and two."), Segment(1, 0.0, 3.0, "Three."))

    assert told(made) == [("Speaker 1", "One and two."), ("Speaker 2", "Three.")]
    assert made.speakers.said_by == (0, 1)


def test_words_that_nobody_is_near_have_no_speaker_and_those_beside_a_turn_do() -> None:
    made = given_words([(10, 12, 0)], segment("Who is there?"), segment("It is me.", 12.5))

    assert told(made) == [(None, "Who is there?"), ("Speaker 1", "It is me.")]


def test_nobody_found_leaves_every_word() -> None:
    made = given_words([], segment("Who is there?"))

    assert told(made) == [(None, "Who is there?")]
    assert (made.speakers.status, made.speakers.labels) == (SpeakerStatus.FOUND, ())


times = some.floats(0, 30).map(lambda t: round(t, 2))
turns_of_speakers = some.lists(some.tuples(times, some.floats(0.05, 5), some.integers(0, 3)), max_size=12)


def apart(turns: list[tuple[float, float, int]]) -> list[SpeakerTurn]:
    """Those of one speaker one after another, as a finder gives them."""
    kept: list[SpeakerTurn] = []
    for start, length, speaker in sorted(turns):
        if all(start >= turn.end for turn in kept if turn.speaker == speaker):
            kept.append(SpeakerTurn(start, start + length, speaker))
    return kept


@given(
    turns_of_speakers, some.lists(some.sampled_from(["yes.", "we", "ship", "Friday?", "so,", "okay"]), min_size=1, max_size=60)
)
def test_whatever_turns_there_are_no_word_is_lost_and_nobody_follows_himself_inside_a_sentence(turns, spoken) -> None:
    whole = segment(" ".join(spoken))
    made = with_speakers(transcript(whole), apart(turns), (), ToldBy.VOICE)

    assert [word for s in made.segments for word in s.words] == list(whole.words)
    assert " ".join(s.text for s in made.segments).split() == spoken
    speakers = [s.speaker for s in made.segments]
    assert all(one != other for one, other in pairwise(speakers))
    assert len(made.speakers.said_by) == len(made.segments)
