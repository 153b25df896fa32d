"""Which confinement decoders have is told by the doctor and the log, and can be required."""

from pathlib import Path

import pytest

from tests.ordinary_place import OrdinaryPlace, ordinary_place

place = pytest.fixture(ordinary_place)
ROOT = Path(__file__).parents[4]
NOTHING = "landlock,seccomp"
DOCTOR = """
import sys
from serve_app.doctor.confinement import confinement
from serve_app.settings.service import SecuritySettings, Settings
security = SecuritySettings(require_confinement=sys.argv[1] == "required")
for finding in confinement(Settings(security=security)):
    print(finding.weight.name, finding.seen, finding.todo)
"""
REPLICA = """
import ctypes, logging, sys
from serve_app.protection.confinement import prepare_for_decoders
from serve_app.settings.service import SecuritySettings, Settings
logging.basicConfig(level="INFO", format="%(levelname)s %(message)s %(walls)s %(ways_out)s", stream=sys.stdout)
prepare_for_decoders(Settings(security=SecuritySettings(require_confinement=sys.argv[1] == "required")))
print("readable" if ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) else "kept")
"""
CONFIG = "applications: [{name: wordloop, import_path: 'serve_app.graph:build', args: {security: {require_confinement: true}}}]"


def test_the_doctor_names_the_walls_that_stand(place: OrdinaryPlace) -> None:
    said = place.run("-c", DOCTOR, "required").stdout
    assert said.startswith("GOOD audio decoders are shut in by ")
    assert "seccomp" in said


@pytest.mark.parametrize(("asked", "weight"), [("required", "FAILED"), ("not required", "WARNING")])
def test_the_doctor_says_what_is_open_and_fails_where_it_may_not_be(place: OrdinaryPlace, asked: str, weight: str) -> None:
    said = place.run("-c", DOCTOR, asked, without=NOTHING).stdout
    assert said.startswith(f"{weight} audio decoders are not shut in (by resource limits alone): one that is taken over could ")
    assert "read files" in said
    assert "require_confinement" in said


def test_a_replica_tells_its_log_what_holds_and_keeps_its_memory_to_itself(place: OrdinaryPlace) -> None:
    lines = place.run("-c", REPLICA, "not required").stdout.splitlines()
    assert lines[0].startswith("INFO audio decoders are shut in by ")
    assert lines[0].endswith("'seccomp'] []")
    assert lines[1] == "kept"


def test_a_replica_warns_of_what_is_open_and_does_not_start_where_it_may_not_be(place: OrdinaryPlace) -> None:
    assert place.run("-c", REPLICA, "not required", without=NOTHING).stdout.startswith("WARNING audio decoders are not shut in")
    refused = place.run("-c", REPLICA, "required", without=NOTHING)
    assert refused.returncode != 0
    assert "StartFailed" in refused.stderr


def test_the_service_refuses_to_start_before_anything_of_it_runs(place: OrdinaryPlace) -> None:
    config = place.folder / "config.yaml"
    config.write_text(CONFIG)
    data = str(place.folder / "data")
    up = place.run("-m", "serve_app", "up", "--config", str(config), "--data-dir", data, "--port", "0", without=NOTHING)
    assert up.returncode == 1
    assert "security.require_confinement: audio decoders are not shut in" in up.stderr
    assert "starting Ray" not in up.stderr
