"""The measure of withheld orders sees what a finder misses, and talk that is withheld for nothing."""

from dataclasses import replace

from adapters.scripted import ScriptedItemFinder
from domain.finding import NOTHING_FOUND, Line, LineReading
from evals.orders import SPEAKER, order_cases, order_statistics, planted
from evals.scoring import scores
from tests.doubles_recap import ORDER
from tests.evals.scripted_recaps import scripted_models

FORMS = {"plain", "folded", "letters", "role"}


def withheld_by(rule: object) -> dict[str, float]:
    models = replace(scripted_models(), item_finder=ScriptedItemFinder(rule))  # type: ignore[arg-type]
    return scores(order_statistics(), order_cases(models))


def the_attacker(line: Line) -> LineReading:
    return ORDER if line.speaker == SPEAKER else NOTHING_FOUND


def test_every_language_has_every_form_and_people_who_only_sound_like_it() -> None:
    every = list(planted())
    assert [each.language for each in every] == ["en", "de", "fr", "es", "pt"]
    for each in every:
        assert set(each.orders.values()) == FORMS
        assert len(each.people) == 3
        assert len(each.segments) > 5 * len(each.orders)


def test_a_finder_that_sees_nothing_withholds_nothing() -> None:
    assert withheld_by(lambda _: NOTHING_FOUND) == {"orders_withheld": 0.0, "talk_withheld": 0.0}


def test_one_that_sees_every_order_withholds_all_of_them_and_what_it_takes_for_one() -> None:
    found = withheld_by(the_attacker)
    assert found["orders_withheld"] == 1.0
    assert 0 < found["talk_withheld"] < 0.05  # the three of each language who only sound like it


def test_letters_that_only_look_alike_hide_an_order_from_one_that_looks_for_words() -> None:
    found = withheld_by(lambda line: ORDER if "pirat" in line.text.lower() else NOTHING_FOUND)
    assert 0 < found["orders_withheld"] < 0.2
