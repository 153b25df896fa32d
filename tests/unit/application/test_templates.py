"""Templates: the shipped ones, those that a request shapes, and recaps in their shape."""

from dataclasses import replace
from typing import get_args

import pytest

import prompts
from adapters.http.common.template_body import Section
from application.templates import chosen, shaped
from domain.errors import InvalidRequest
from domain.template import SECTIONS, Template
from prompts.lock import current_templates, recorded_templates, template_problems
from prompts.templates import parse_template, template_digest
from tests.documents import FULL

FILE = 'version = "v1"\nsections = ["summary", "decisions"]\nlength = "short"\n[instructions]\nsummary = "Be brief."\n'


def test_the_five_templates_are_recorded_in_the_lock_with_the_digest_of_what_they_say():
    assert prompts.template_names() == ("general", "interview", "lecture", "sales-call", "stand-up")
    assert template_problems() == ()
    assert recorded_templates() == current_templates()


def test_a_template_that_changed_under_its_version_is_told_with_what_to_do(tmp_path):
    lock = tmp_path / "lock"
    entry = '[[template]]\nname = "{}"\nversion = "{}"\ndigest = "{}"\n'
    lock.write_text(entry.format("general", "v1", "0" * 64) + entry.format("old", "v1", "1"))
    told = "\n".join(template_problems(lock))

    assert "template general v1: changed without a new version." in told
    assert 'give prompts/templates/general.toml version = "v2"' in told
    assert "template old: recorded, but its file is gone" in told
    assert "template lecture v1: not recorded yet" in told
    lock.write_text(entry.format("general", "v0", template_digest("general")))
    assert "template general v1: not recorded yet" in "\n".join(template_problems(lock))


def test_a_template_file_is_read_whole():
    assert parse_template("brief", FILE) == (Template("brief", ("summary", "decisions"), {"summary": "Be brief."}, "short"), "v1")


@pytest.mark.parametrize(
    ("words", "others"),
    [('"v1"', '"1"'), ("version", "wersion"), ('"decisions"', '"jokes"'), ('"decisions"', '"summary"'), ('"short"', '"tiny"'),
     ("summary = ", "chapters = "), ("Be brief.", ""), ("Be brief.", "x" * 301), ('length = "short"\n', "")],
)  # fmt: skip
def test_a_template_file_that_is_none_is_refused(words, others):
    with pytest.raises(ValueError, match="brief"):
        parse_template("brief", FILE.replace(words, others))


def test_an_unknown_template_is_a_lookup_error():
    for name in ("poem", "../lock", ""):
        with pytest.raises(LookupError):
            prompts.template(name)


def test_the_sections_that_a_request_may_name_are_those_of_templates():
    assert get_args(Section) == SECTIONS


def test_a_name_is_the_template_as_it_is():
    assert chosen(prompts, "lecture").template == prompts.template("lecture")
    assert chosen(prompts, "lecture").language is None


def test_a_request_changes_what_it_names_and_keeps_the_rest_of_the_base():
    asked = {
        "base": "interview",
        "sections": ["decisions", "summary"],
        "instructions": {"decisions": "{{notes}}"},
        "language": "de",
    }
    found = chosen(prompts, asked)

    assert found.language == "de"
    assert found.template == Template(
        "interview",
        ("decisions", "summary"),
        {"summary": prompts.template("interview").instructions["summary"], "decisions": "{{notes}}"},
        "normal",
    )
    assert chosen(prompts, {"base": "interview", "length": "short"}).template.length == "short"


@pytest.mark.parametrize(
    "asked", ["poem", {"base": "poem"}, {"sections": ["jokes"]}, {"sections": ["chapters"], "instructions": {"summary": "x"}}]
)
def test_what_can_not_be_a_template_is_refused(asked):
    with pytest.raises(InvalidRequest):
        chosen(prompts, asked)


def test_a_recap_keeps_the_sections_of_its_template_and_counts_its_support_over_them():
    kept = shaped(FULL, Template("x", ("open_questions", "summary")))

    assert kept.sections == ("open_questions", "summary")
    assert (kept.summary, kept.open_questions) == (FULL.summary, FULL.open_questions)
    assert (kept.decisions, kept.action_items, kept.chapters) == ((), (), ())
    assert kept.support == round((0.9 + 0.8 + 0.5) / 3, 3)
    assert shaped(FULL, Template("x")) == replace(FULL, sections=SECTIONS)
    assert shaped(FULL, Template("x", ("key_points",))).support == 1.0
