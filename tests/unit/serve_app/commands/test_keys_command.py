"""`wordloop keys`, and the rule that only loopback is open without them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve_app.commands.keys import app
from serve_app.errors import StartFailed
from serve_app.protection.exposure import check_exposure
from serve_app.settings.service import SecuritySettings, Settings


def run(data_dir: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments, "--data-dir", str(data_dir)])
    return done.exit_code, done.stdout


def listed(data_dir: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in run(data_dir, "list", "--json")[1].splitlines() if line.startswith("{")]


def test_a_key_is_shown_once_and_then_only_listed(tmp_path: Path) -> None:
    code, shown = run(tmp_path, "create", "acme", "--scope", "read", "--days", "30", "--name", "ci")
    assert code == 0
    text = next(word for word in shown.split() if word.startswith("wl_"))
    (key,) = listed(tmp_path)
    assert (key["tenant"], key["scopes"], key["state"], key["name"]) == ("acme", "read", "live", "ci")
    assert text not in run(tmp_path, "list")[1]
    assert text.startswith(f"wl_{key['id']}_")


def test_a_key_with_limits_of_its_own_shows_them(tmp_path: Path) -> None:
    assert run(tmp_path, "create", "acme", "--requests-per-minute", "30", "--max-upload-mib", "1.5")[0] == 0
    run(tmp_path, "create", "free")
    assert run(tmp_path, "create", "first", "--max-priority", "2")[0] == 0
    assert [key["limits"] for key in listed(tmp_path)] == [
        "30 requests/min, 1.5 MiB a recording",
        "",
        "priority up to 2",
    ]
    assert run(tmp_path, "create", "acme", "--requests-per-minute", "0")[0] != 0
    assert run(tmp_path, "create", "acme", "--max-upload-mib", "-1")[0] != 0
    assert run(tmp_path, "create", "acme", "--max-priority", "4")[0] != 0


def test_a_rotated_key_lives_on_and_a_revoked_one_does_not(tmp_path: Path) -> None:
    run(tmp_path, "create", "acme")
    (old,) = listed(tmp_path)
    assert run(tmp_path, "rotate", old["id"], "--overlap-hours", "1")[0] == 0
    first, second = listed(tmp_path)
    assert (first["state"], second["state"], second["scopes"]) == ("live", "live", "read,write")
    assert run(tmp_path, "revoke", old["id"])[0] == 0
    assert [key["state"] for key in listed(tmp_path)] == ["revoked", "live"]


@pytest.mark.parametrize(
    "arguments", [("create", "a b"), ("create", ""), ("create", "x" * 65), ("revoke", "0" * 12), ("rotate", "no")]
)
def test_what_can_not_be_done_fails(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, *arguments)[0] != 0


def test_another_address_needs_keys_and_a_live_one(tmp_path: Path) -> None:
    closed = Settings(data_dir=tmp_path)
    with pytest.raises(StartFailed, match=r"security\.require_keys"):
        check_exposure(closed, "0.0.0.0")
    asking = closed.model_copy(update={"security": SecuritySettings(require_keys=True)})
    with pytest.raises(StartFailed, match="no live key"):
        check_exposure(asking, "0.0.0.0")
    run(tmp_path, "create", "acme")
    check_exposure(asking, "0.0.0.0")
    run(tmp_path, "revoke", listed(tmp_path)[0]["id"])
    with pytest.raises(StartFailed, match="no live key"):
        check_exposure(asking, "0.0.0.0")
