"""Tests ask what a module promises and leave alone what it keeps to itself; those that look inside are counted, and get fewer."""

import ast
import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARIES = {
    "_apply_autoscaling_config", "_apply_middlewares", "_bound_deployment", "_deployment_config", "_exit",
    "_generate_config_file_internal", "_proc",
}  # fmt: skip
"""Names of Ray, Starlette and the system that have no public one: what we hand them can only be seen there."""
LOOK_INSIDE = {
    "postgresql_server.py": 1,
    "s3_server.py": 1,
    "test_arguments.py": 1,
    "test_item_reader.py": 1,
    "test_job_engine_model.py": 1,
    "test_job_metrics.py": 3,
    "test_keep_retention.py": 2,
    "test_metric_table.py": 1,
    "test_older_recaps.py": 1,
    "test_older_transcripts.py": 1,
    "test_replica_rates.py": 1,
    "test_s3_blob_store.py": 2,
    "test_scaling.py": 1,
    "test_search_scale.py": 1,
    "test_uploads_http.py": 6,
    "test_webhooks.py": 1,
    "test_whisper_engine.py": 12,
    "test_work_on_jobs.py": 1,
    "timed_service.py": 4,
}
"""Private names by file. A number only ever falls; a file that needs none leaves the list."""


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in LIBRARIES


def looks_inside(source: str) -> int:
    """How often a program names something private of another module or object than its own `self` or `cls`."""
    found = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found += sum(private(name.name) for name in node.names)
        elif isinstance(node, ast.Attribute) and private(node.attr):
            found += not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    return found


def test_no_test_looks_inside_that_did_not_before() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "tests/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    counts = Counter[str]()
    for path in (ROOT / name for name in listed):
        if path.exists() and (inside := looks_inside(path.read_text())):
            counts[path.name] += inside

    assert dict(counts) == LOOK_INSIDE, "ask the port, or take the number down"


def test_a_private_name_is_seen_wherever_it_is_used() -> None:
    assert looks_inside("from domain.job import _hidden, Job") == 1
    assert looks_inside("store.jobs._database._writer") == 2
    assert looks_inside("self._mine\ncls._ours\nstore.__class__\nos._exit(0)") == 0
