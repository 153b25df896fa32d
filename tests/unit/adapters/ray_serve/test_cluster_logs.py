"""Logs of the last runs are kept, everything else of a Ray session goes."""

from pathlib import Path

from adapters.ray_serve.cluster import SESSIONS_KEPT, remember_logs


def session(folder: Path, number: int) -> Path:
    made = folder / f"session_{number}"
    (made / "logs").mkdir(parents=True)
    (made / "logs" / "gcs.out").write_text("log")
    (made / "runtime_resources" / "packages").mkdir(parents=True)
    return made


def test_the_logs_of_the_last_runs_stay_and_nothing_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    sessions = [session(tmp_path / "ray", number) for number in range(5)]
    foreign = session(tmp_path / "ray", 99)
    for made in sessions:
        remember_logs(data, made / "logs")
    assert [made.exists() for made in sessions] == [False] * (5 - SESSIONS_KEPT) + [True] * SESSIONS_KEPT
    assert [path.name for path in sessions[-1].iterdir()] == ["logs"]
    assert (foreign / "runtime_resources").exists()


def test_a_path_that_is_no_session_is_never_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious" / "logs"
    precious.mkdir(parents=True)
    (tmp_path / "ray-sessions").write_text(f"{precious.parent}\n" * 5)
    for number in range(SESSIONS_KEPT):
        remember_logs(tmp_path, session(tmp_path / "ray", number) / "logs")
    assert precious.exists()
