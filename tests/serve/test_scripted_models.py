"""Real replicas under a real Serve, over scripted engines: they come and go with the work, to none and back, are replaced
when an engine hangs, and are upgraded under load. No call is lost.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.running_service import ROOT

pytestmark = [pytest.mark.serve, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def keys_of_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines") / "engine.log"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, keys_of_engine: Path) -> dict[str, Any]:
    """What `tests.scripted_models` saw."""
    environment = os.environ | {"WORDLOOP_ENGINE_LOG": str(keys_of_engine), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "tests.scripted_models", str(tmp_path_factory.mktemp("models"))]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(json.dumps(figures, indent=1))
    return figures


def test_every_call_is_answered_once(seen: dict[str, Any]) -> None:
    assert (seen["answered"], seen["twice"]) == (seen["calls"], False)


def test_replicas_come_with_the_work_and_go_without_to_none_and_back(seen: dict[str, Any]) -> None:
    for scaled in seen["scale"]:
        assert scaled["before"] == 0, "the model slept"
        assert scaled["most"] > 1
        assert scaled["under_a_trickle"] == 1, "the others went while calls were made"
    assert seen["again_by_scaling"] == 0, "a call was lost with a replica that went"


def test_a_hung_engine_is_replaced_and_its_calls_are_made_elsewhere(seen: dict[str, Any]) -> None:
    assert [len(each["hung"]) for each in seen["hang"]] == list(range(1, len(seen["hang"]) + 1))


def test_an_upgrade_under_load_loses_no_call(seen: dict[str, Any]) -> None:
    for upgraded in seen["upgrade"]:
        assert len(upgraded["versions"]) == 2
    assert seen["again_by_upgrades"] == seen["again_by_scaling"]


def test_no_engine_is_asked_twice_for_what_it_answered(seen: dict[str, Any], keys_of_engine: Path) -> None:
    ended = Counter(line.split()[1] for line in keys_of_engine.read_text().splitlines() if line.startswith("end "))
    assert [key for key, times in ended.items() if times > 1] == []
    assert len(ended) == seen["calls"]
