"""What a log tells of an unexpected error: where, never what was said."""

from domain.failure import stack_of


def fail_over(words: str) -> None:
    try:
        int(words)
    except ValueError as error:
        raise RuntimeError(f"about {words}") from error


def test_the_kind_and_the_places_of_an_error_and_its_cause_are_told_and_none_of_its_words():
    try:
        fail_over("zugvogelklappe")
    except RuntimeError as error:
        told = stack_of(error)
    assert told.startswith("builtins.RuntimeError at domain/test_failure.py:")
    assert "caused by builtins.ValueError at domain/test_failure.py:" in told
    assert "zugvogelklappe" not in told


def test_an_error_that_was_never_raised_has_no_place():
    assert stack_of(KeyError("x")) == "builtins.KeyError at unknown place"
