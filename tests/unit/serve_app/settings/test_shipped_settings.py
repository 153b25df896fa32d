"""The shipped files hold every setting, each explained, and the production file leaves no limit off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from serve_app.protection.exposure import HAPROXY, PROTECTION, door_limits
from serve_app.settings.serve_file import load_config
from serve_app.settings.service import SecuritySettings, Settings

ROOT = Path(__file__).parents[4]
EMBEDDED, PRODUCTION = ROOT / "serve_config.yaml", ROOT / "serve_config.gpu.yaml"
FREE = {
    *(("retention", "tenants"), ("vocabulary", "tenants"), ("guard", "budget", "tenants")),
    *(("openai", "aliases"), ("transcriber", "scores"), ("health", "recycle")),
}
"""Settings whose members are names that an operator gives, and groups that may be null."""

Place = tuple[str, ...]


def settings_of(model: type[BaseModel], place: Place = ()) -> Iterator[Place]:
    """The place of every setting; a group that may be null is one."""
    for name, field in model.model_fields.items():
        groups = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        group = next((kind for kind in groups if issubclass(kind, BaseModel)), None)
        if group is None or type(None) in groups or (*place, name) in FREE:
            yield (*place, name)
        else:
            yield from settings_of(group, (*place, name))


def written_in(node: Any, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Every setting that stands in a file, with the number of its line."""
    for key, value in node.value:
        here = (*place, key.value)
        if isinstance(value, yaml.MappingNode) and value.value and here not in FREE:
            yield from written_in(value, here)
        else:
            yield here, key.start_mark.line


def arguments(file: Path) -> Any:
    """The node of `args`."""
    node: Any = yaml.compose(file.read_text())
    for step in ("applications", 0, "args"):
        node = node.value[step] if isinstance(step, int) else next(value for key, value in node.value if key.value == step)
    return node


@pytest.mark.parametrize("file", [EMBEDDED, PRODUCTION], ids=lambda path: path.name)
def test_every_setting_stands_in_the_shipped_files_and_no_other(file: Path) -> None:
    known = set(settings_of(Settings))
    written = {place for place, _ in written_in(arguments(file))}

    assert {".".join(place) for place in known ^ written} == set()


@pytest.mark.parametrize("file", [EMBEDDED, PRODUCTION], ids=lambda path: path.name)
def test_every_setting_is_explained_on_its_line(file: Path) -> None:
    lines = file.read_text().splitlines()
    bare = [".".join(place) for place, line in written_in(arguments(file)) if len(lines[line].partition(" # ")[2]) < 4]

    assert bare == []


def test_a_setting_that_no_file_holds_is_found() -> None:
    class More(Settings):
        """Settings of tomorrow."""

        lamp: bool = True

    written = {place for place, _ in written_in(arguments(EMBEDDED))}
    assert set(settings_of(More)) - written == {("lamp",)}


def test_the_embedded_file_says_what_holds_without_a_file() -> None:
    """But for priorities: a file of its own says that nobody shows a key here, so nobody has to be kept from the front."""
    assert load_config(EMBEDDED).settings == Settings(security=SecuritySettings(max_priority=3))


def test_the_production_file_bounds_every_tenant() -> None:
    settings = load_config(PRODUCTION).settings
    bounds = [
        settings.security.requests_per_minute,
        settings.limits.max_queued_jobs_per_tenant,
        settings.limits.max_queue_wait_s,
        settings.worker.max_running_per_tenant,
        settings.storage.max_bytes_per_tenant,
        *settings.guard.budget.per_tenant.model_dump().values(),
        *settings.guard.budget.per_job.model_dump().values(),
    ]
    assert None not in bounds
    assert settings.security.require_keys


def test_the_production_file_names_what_ray_needs_in_its_environment() -> None:
    """It tells HAProxy's limits twice: in `http`, and where HAProxy itself reads them."""
    text, door = PRODUCTION.read_text(), door_limits(load_config(PRODUCTION).settings.http).variables()
    for name, (value, _) in PROTECTION.items():
        assert f"{name}={value}" in text
    assert HAPROXY in text
    for name, value in door.items():
        assert f"{name.removeprefix('WORDLOOP_HAPROXY')}={value}" in text
