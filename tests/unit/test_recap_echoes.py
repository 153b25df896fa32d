"""Words of the prompt's example never come back as something that was said."""

from collections.abc import Mapping

import pytest

import prompts
from application.recap.echoes import echoes_example
from application.recap.make_recap import MakeRecap
from domain.call import CallContext
from domain.canonical import Json
from domain.prompt import RenderedPrompt
from tests.doubles_recap import HashingEmbedder, RuledLanguageModel, conversation

EXAMPLE = [words for role, words in prompts.load("phrase_chapter").messages[:-1] if role != "system"]
NOTES = "- Ann: We hire the firm for the roof in March.\n- Tom: The offer of the firm holds until Friday."
MEETING = conversation(
    ("Ann", "We hire the firm for the roof of the school in March, not later."),
    ("Tom", "The offer of the firm for the roof holds until Friday next week."),
    ("Ann", "The roof of the school leaks above the second floor in the north wing."),
)
COPIED = "They will not buy the firm but hire it for the roof in March."
SAID = "Ann hires the firm for the roof of the school in March."


@pytest.mark.parametrize("text", [COPIED, "The firm is too slow for the whole office.", "Renting a faster printer"])
def test_words_of_the_example_that_nobody_said_are_copied(text: str) -> None:
    assert echoes_example(text, EXAMPLE, NOTES)


@pytest.mark.parametrize(
    "text",
    ["The group discussed the firm: it is hired in March.", "The offer holds until Friday.", "They rent one roof.", ""],
)
def test_words_of_the_notes_and_of_narration_are_not(text: str) -> None:
    assert not echoes_example(text, EXAMPLE, NOTES)


def test_a_conversation_that_really_is_about_the_example_keeps_its_words() -> None:
    assert not echoes_example("They will not buy a printer.", EXAMPLE, "- Ann: So we buy no printer, we will not buy one.")


async def test_a_copied_sentence_and_a_copied_title_do_not_reach_the_recap() -> None:
    def script(prompt: RenderedPrompt) -> Mapping[str, Json]:
        if prompt.reference.name == "title_recap":
            return {"title": "Roof of the school"}
        return {"sentences": [COPIED, SAID], "title": "Renting a faster printer"}

    made = await MakeRecap(RuledLanguageModel(script), HashingEmbedder(), prompts)(
        "recap", None, MEETING, "en", "general", CallContext(), _nobody
    )
    told = " ".join([made.recap.title, *(c.title for c in made.recap.chapters), *(s.text for s in made.recap.summary)])
    assert "buy" not in told
    assert "Renting" not in told
    assert SAID in told


async def _nobody(_fraction: float) -> None:
    """Nobody watches."""
