"""Every clause of the rule by which a reported item is one of a labelled meeting."""

import pytest

from domain.recap import ActionItem, Statement
from evals.item_matching import (
    FoundItems,
    Matching,
    content_words,
    folded,
    is_due_right,
    is_owner_right,
    is_placed,
    match,
    says,
)
from training.meetings import Item, LabelledMeeting, Turn, meetings

TURNS = (
    "Good morning everyone.",
    "So the printer broke again yesterday.",
    "Then we buy a new laser printer from Heller.",
    "Agreed, that settles it.",
    "Anna orders the replacement cartridges by Friday.",
    "Fine with me.",
    "Last year they painted the corridor green.",
    "Lovely colour, really.",
    "Nobody knows who pays for the maintenance contract.",
    "That stays unresolved for now.",
)


def labelled(**parts: object) -> LabelledMeeting:
    given = {
        "decisions": (Item("Buy a laser printer from Heller.", (2,)),),
        "tasks": (Item("Order replacement cartridges.", (4,), ("Anna",), "by Friday"),),
        "questions": (Item("Who pays for the maintenance contract?", (8,)),),
        "look_alikes": (Item("The corridor was painted green.", (6,), why="past decision"),),
        **parts,
    }
    turns = tuple(Turn("Anna", place, place + 1, text) for place, text in enumerate(TURNS))
    return LabelledMeeting("en-printer", "en", False, turns, "A printer is bought.", **given)  # type: ignore[arg-type]


def decision(text: str, *cited: int) -> Statement:
    return Statement(text, cited, 1.0)


def task(text: str, *cited: int, owner: str | None = None, due: str | None = None) -> ActionItem:
    return ActionItem(text, cited, 1.0, owner, due)


def matched(found: FoundItems, meeting: LabelledMeeting | None = None) -> Matching:
    return match(found, meeting or labelled())


# --- place ---


@pytest.mark.parametrize(
    ("cited", "placed"),
    [
        ((5,), True),
        ((4,), True),
        ((7,), True),
        ((3,), False),
        ((8,), False),
        ((), False),
        ((5, 20, 21), True),
        ((5, 20, 21, 22), False),
        ((5, 6, 20, 21, 22, 23), True),
        (tuple(range(40)), False),
    ],
)
def test_a_third_of_the_cited_turns_lies_in_the_evidence_or_a_turn_beside_it(cited: tuple[int, ...], placed: bool) -> None:
    assert is_placed(frozenset(cited), (5, 6)) is placed


def test_the_evidence_is_widened_around_each_of_its_turns() -> None:
    assert is_placed(frozenset({3}), (2, 9))
    assert is_placed(frozenset({10}), (2, 9))
    assert not is_placed(frozenset({5}), (2, 9))


def test_citing_everything_matches_nothing() -> None:
    everything = tuple(range(len(TURNS)))
    found = matched(FoundItems(decisions=(decision("Buy a laser printer from Heller.", *everything),)))
    assert found.matched == {}


# --- words ---


def test_content_words_are_long_folded_cut_to_five_letters_and_neither_grammar_nor_digits() -> None:
    assert content_words("They will NOT be buying 1200 Bücher, or a 3d scanner", "en") == {"buyin", "buche", "scann"}
    assert content_words("Die Bücher werden später bestellt", "de") == {"buche", "spate", "beste"}
    assert content_words("L'échéance était reportée", "fr") == {"echea", "repor"}
    assert content_words("the cat sat", "en") == frozenset()


def test_a_language_without_a_list_has_no_grammar() -> None:
    assert content_words("that which", "xx") == {"that", "which"}


def test_stop_words_are_compared_without_their_accents() -> None:
    assert content_words("après étaient", "fr") == content_words("apres etaient", "fr")


@pytest.mark.parametrize(("held", "enough"), [(2, False), (3, True), (10, True)])
def test_thirty_per_cent_of_the_labels_words_are_enough(held: int, enough: bool) -> None:
    label = frozenset(f"word{place}" for place in range(10))
    assert says(label, frozenset(sorted(label)[:held])) is enough


def test_a_label_without_content_words_asks_for_none() -> None:
    assert says(frozenset(), frozenset())


def test_the_words_may_stand_in_the_item_or_in_the_turns_that_it_cites() -> None:
    by_item = matched(FoundItems(decisions=(decision("They get a laser printer.", 3),)))
    by_turn = matched(FoundItems(decisions=(decision("That settles it.", 2),)))
    by_neither = matched(FoundItems(decisions=(decision("That settles it.", 3),)))
    assert list(by_item.matched) == list(by_item.matched_own) == [0]
    assert list(by_turn.matched) == [0]
    assert by_turn.matched_own == {}
    assert by_neither.matched == {}


def test_turns_that_there_are_not_are_cited_in_vain() -> None:
    assert matched(FoundItems(decisions=(decision("A laser printer.", 2, 99, -5),))).matched
    assert not matched(FoundItems(decisions=(decision("A laser printer.", 2, 97, 98, 99),))).matched


# --- one to one ---


def test_a_labelled_item_is_matched_once_and_by_the_first_that_is_reported() -> None:
    found = matched(FoundItems(decisions=(decision("A laser printer.", 2), decision("Buy a laser printer from Heller.", 2))))
    assert list(found.matched) == [0]


def test_the_next_one_takes_the_next_free_label() -> None:
    twice = labelled(decisions=(Item("Buy a laser printer.", (2,)), Item("The laser printer is from Heller.", (2,))))
    found = matched(FoundItems(decisions=(decision("A laser printer.", 2), decision("A laser printer.", 3))), twice)
    assert {place: label.text for place, label in found.matched.items()} == {
        0: "Buy a laser printer.",
        1: "The laser printer is from Heller.",
    }


def test_two_equal_labels_are_two_labels() -> None:
    twice = labelled(decisions=(Item("Buy a laser printer.", (2,)), Item("Buy a laser printer.", (2,))))
    assert len(matched(FoundItems(decisions=(decision("A laser printer.", 2),) * 3), twice).matched) == 2


def test_only_the_own_kind_matches_and_another_kind_is_told_apart() -> None:
    found = matched(FoundItems(open_questions=(decision("Buy a laser printer from Heller.", 2),)))
    assert found.matched == {}
    assert found.wrong_kinds == {0}


def test_what_matches_its_own_kind_is_of_no_wrong_kind() -> None:
    both = labelled(tasks=(Item("Buy a laser printer from Heller.", (2,), ("Anna",)),))
    found = matched(FoundItems(decisions=(decision("A laser printer.", 2),)), both)
    assert (list(found.matched), found.wrong_kinds) == ([0], frozenset())


# --- look-alikes ---


def test_a_look_alike_counts_once_and_for_any_kind() -> None:
    found = matched(
        FoundItems(decisions=(decision("Paint the corridor green.", 6),), action_items=(task("The corridor, green.", 6),))
    )
    assert found.look_alikes == {0}


def test_a_look_alike_is_cited_itself_and_by_its_words() -> None:
    assert not matched(FoundItems(decisions=(decision("Paint the corridor green.", 7),))).look_alikes
    assert matched(FoundItems(decisions=(decision("So it is.", 6),))).look_alikes == {0}
    other = labelled(look_alikes=(Item("Somebody hired musicians.", (6,)),))
    assert not matched(FoundItems(decisions=(decision("Paint the corridor green.", 6),)), other).look_alikes


def test_what_matched_an_item_is_no_look_alike() -> None:
    near = labelled(look_alikes=(Item("A laser printer was bought last year.", (3,)),))
    assert not matched(FoundItems(decisions=(decision("Buy a laser printer from Heller.", 2, 3),)), near).look_alikes


# --- owner and due ---


@pytest.mark.parametrize(
    ("said", "right"),
    [("José", True), ("jose", True), (" JOSE ", True), ("Speaker 3", True), ("Jos", False), ("", False), (None, False)],
)
def test_an_owner_is_right_when_it_is_one_of_the_names(said: str | None, right: bool) -> None:
    assert is_owner_right(said, Item("Call.", (0,), ("José", "Speaker 3"))) is right


def test_no_owner_is_right_where_nobody_is_named() -> None:
    assert is_owner_right(None, Item("Call.", (0,)))
    assert not is_owner_right("Anna", Item("Call.", (0,)))


@pytest.mark.parametrize(
    ("said", "wanted", "right"),
    [
        (None, None, True),
        ("", None, True),
        ("Friday", "by Friday", True),
        ("by FRIDAY noon", "by Friday", True),
        ("até sábado", "ATE SABADO", True),
        ("Monday", "by Friday", False),
        (None, "by Friday", False),
        ("", "by Friday", False),
        ("Friday", None, False),
    ],
)
def test_a_date_is_right_when_one_text_holds_the_other(said: str | None, wanted: str | None, right: bool) -> None:
    assert is_due_right(said, Item("Call.", (0,), due=wanted)) is right


def test_owner_and_date_have_no_part_in_matching() -> None:
    found = matched(FoundItems(action_items=(task("Order cartridges.", 4, owner="Ben", due="Monday"),)))
    assert list(found.matched) == [0]


def test_folding_drops_case_and_accents() -> None:
    assert folded(" Über STRASSE ") == folded("uber straße")


# --- the data ---


def test_every_label_reported_as_it_stands_is_matched_and_no_look_alike() -> None:
    for meeting in meetings("tune"):
        reported = FoundItems(
            tuple(decision(each.text, *each.evidence) for each in meeting.decisions),
            tuple(task(each.text, *each.evidence) for each in meeting.tasks),
            tuple(decision(each.text, *each.evidence) for each in meeting.questions),
        )
        found = matched(reported, meeting)
        assert len(found.matched) == len(found.matched_own) == len(found.reported)
        assert not found.look_alikes
        assert not found.wrong_kinds
