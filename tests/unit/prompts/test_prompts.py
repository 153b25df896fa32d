"""Prompt files: rendering, digests, and the lock that keeps words and versions together."""

import subprocess
import sys
from dataclasses import replace

import pytest

import prompts
from domain.prompt import Sampling
from prompts.library import parse, versions
from prompts.lock import current, lock_problems, recorded

LONGEST_ANSWER = 700
"""Tokens: what a model on two cores writes in about a minute."""
FILE = """+++
name = "greet"
version = "v1"
purpose = "Say hello."
schema = '{"type": "object"}'

[sampling]
max_tokens = 9
temperature = 0.0
top_p = 1.0
seed = 3

[choices.tone]
kind = "Be kind."
+++

# system

You greet. {{tone}}

# user

{{who}}
"""


def test_every_prompt_file_is_recorded_in_the_lock_with_the_digest_of_its_words():
    assert lock_problems() == ()
    assert recorded() == current()


def test_the_check_fails_as_a_command_only_when_something_is_wrong():
    ran = subprocess.run([sys.executable, "-m", "prompts", "check"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert subprocess.run([sys.executable, "-m", "prompts"], capture_output=True, check=False).returncode == 2


def test_the_digest_changes_with_words_schema_sampling_and_choices_and_with_nothing_else():
    prompt = parse("greet", "v1", FILE)
    others = [
        parse("greet", "v1", FILE.replace("You greet", "You shout")),
        parse("greet", "v1", FILE.replace('"object"', '"array"')),
        parse("greet", "v1", FILE.replace("seed = 3", "seed = 4")),
        parse("greet", "v1", FILE.replace("Be kind", "Be brief")),
    ]
    assert len({prompt.digest, *(other.digest for other in others)}) == 5
    assert parse("greet", "v1", FILE.replace("Say hello", "Greets")).digest == prompt.digest
    assert parse("greet", "v1", FILE.replace("\n", "\r\n")).digest == prompt.digest


def test_rendering_fills_every_hole_and_carries_schema_sampling_and_reference():
    prompt = parse("greet", "v1", FILE)

    rendered = prompt.render(tone="kind", who="Anna")

    assert rendered.messages == (("system", "You greet. Be kind."), ("user", "Anna"))
    assert rendered.schema == {"type": "object"}
    assert rendered.sampling == Sampling(9, 0.0, 1.0, 3)
    assert rendered.reference == prompt.reference


@pytest.mark.parametrize(
    "values", [{"tone": "kind"}, {"tone": "kind", "who": "Anna", "why": "x"}, {"tone": "rude", "who": "Anna"}]
)
def test_a_missing_an_extra_or_an_unlisted_value_is_refused(values):
    with pytest.raises(ValueError, match="prompt greet v1"):
        parse("greet", "v1", FILE).render(**values)


def test_a_value_that_looks_like_a_hole_stays_as_it_is():
    rendered = parse("greet", "v1", FILE).render(tone="kind", who="{{tone}} {{who}}")
    assert rendered.messages[1] == ("user", "{{tone}} {{who}}")


def test_front_matter_that_does_not_fit_its_place_is_refused():
    with pytest.raises(ValueError, match="front matter of greet v1"):
        parse("greet", "v2", FILE)
    with pytest.raises(ValueError, match="no front matter"):
        parse("greet", "v1", "# user\n\nhello")


def test_the_newest_version_is_loaded_unless_one_is_named():
    for name in prompts.names():
        assert prompts.load(name).version == versions(name)[-1]
        assert prompts.load(name, "v1").version == "v1"


@pytest.mark.parametrize(
    ("name", "version"), [("nothing", None), ("write_summary", "v99"), ("../write_summary", None), ("write_summary", "../v1")]
)
def test_an_unknown_prompt_is_a_lookup_error(name, version):
    with pytest.raises(LookupError):
        prompts.load(name, version)


def test_every_prompt_is_greedy_seeded_and_bounded():
    for name in prompts.names():
        sampling = prompts.load(name).sampling
        assert replace(sampling, max_tokens=1) == Sampling(1, temperature=0.0, top_p=1.0, seed=20)
        assert sampling.max_tokens <= LONGEST_ANSWER
