"""Speakers get names, keep their labels, become one, and come apart again."""

import pytest

from domain.errors import InvalidRequest
from domain.named_speakers import Speakers, SpeakerStatus, ToldBy
from domain.transcript import Coverage, Segment, Transcript

LABELS = ("Speaker 1", "Speaker 2", "Speaker 3")
THREE = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, LABELS, LABELS, (0, 1, None, 2))


def test_a_name_is_given_by_label_and_the_same_request_again_changes_nothing() -> None:
    once = THREE.renamed({"Speaker 1": "Ana", "Speaker 3": "Ben"})

    assert once.names == ("Ana", "Speaker 2", "Ben")
    assert once.renamed({"Speaker 1": "Ana", "Speaker 3": "Ben"}) == once
    assert once.as_found() == THREE


def test_a_name_that_there_is_makes_one_speaker_of_two_and_labels_part_them_again() -> None:
    one = THREE.renamed({"Speaker 1": "Ana"}).renamed({"Speaker 2": "Ana"})

    assert one.merged == {"Ana": ("Speaker 1", "Speaker 2")}
    assert one.renamed({"Ana": "Anna"}).names == ("Anna", "Anna", "Speaker 3")
    assert one.renamed({"Speaker 2": "Ben"}).names == ("Ana", "Ben", "Speaker 3")


def test_the_label_of_another_is_a_name_like_any_while_that_one_is_called_so() -> None:
    assert THREE.renamed({"Speaker 2": "Speaker 1"}).merged == {"Speaker 1": ("Speaker 1", "Speaker 2")}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"Speaker 4": "Ana"}, "there are: `Speaker 1`, `Speaker 2`, `Speaker 3`"),
        ({"Speaker 1": "Speaker 2", "Speaker 2": "Speaker 1"}, "the label of another speaker"),
        ({"Speaker 1": "Ana", "Speaker 2": "Speaker 1"}, "who is called `Ana`"),
    ],
)
def test_what_can_not_be_meant_is_refused(names: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        THREE.renamed(names)


def test_one_speaker_is_not_called_two_things_at_once() -> None:
    with pytest.raises(InvalidRequest, match="two things at once"):
        THREE.renamed({"Speaker 1": "Ana"}).renamed({"Speaker 1": "Eva", "Ana": "Ida"})


def test_a_transcript_without_speakers_has_nobody_to_rename() -> None:
    with pytest.raises(InvalidRequest, match="there are: none"):
        Speakers().renamed({"Speaker 1": "Ana"})


def test_a_transcript_calls_its_segments_as_its_speakers_are_called() -> None:
    said = tuple(Segment(place, place, place + 1, "Yes.") for place in range(4))
    found = Transcript("transcript_1", "en", 4.0, said, Coverage(4.0, 4.0)).naming(THREE)
    named = found.naming(THREE.renamed({"Speaker 3": "Ben"}))

    assert [s.speaker for s in named.segments] == ["Speaker 1", "Speaker 2", None, "Ben"]
    assert named.naming(named.speakers.as_found()) == found
