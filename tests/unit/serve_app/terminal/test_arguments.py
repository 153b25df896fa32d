"""What is typed wrongly is told in one sentence, before anything starts."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from serve_app.cli import app
from serve_app.errors import ArgumentWrong
from serve_app.terminal import arguments
from serve_app.terminal.arguments import LANGUAGES, check_server, recordings, speakers_field

ROOT = Path(__file__).parents[4]
RECORDING = ROOT / "serve_app" / "demo" / "launch-review.ogg"


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A start that is reached in spite of a wrong argument ends the test instead of starting Ray."""
    from serve_app.embedded.service import Service

    def started(*_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(Service, "start", started)
    monkeypatch.setenv("WORDLOOP_DATA_DIR", str(tmp_path / "data"))


def wordloop(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def refusal(*arguments: str | Path) -> str:
    """The one sentence of a refused command line."""
    result = wordloop(*arguments)
    assert isinstance(result.exception, ArgumentWrong), (result.exception, result.stderr)
    sentence = result.exception.detail
    assert sentence[0].isupper() or sentence.startswith("--")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("command", ["up", "doctor"])
@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_is_none_is_refused(command: str, port: str) -> None:
    result = wordloop(command, "--port", port)
    assert result.exit_code == 2
    assert "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        sentence = refusal("up", "--port", str(port))
    assert sentence == f"--port {port} on 127.0.0.1 is taken; choose another, or 0 for a free one."
    assert not (tmp_path / "data" / "service.json").exists()


@pytest.mark.parametrize(
    ("host", "words"), [("no-such-host.invalid", "resolves"), ("192.0.2.1", "no address of this machine"), ("::1", "IPv4")]
)
def test_a_host_that_is_not_this_machine_is_refused(host: str, words: str) -> None:
    assert words in refusal("up", "--host", host)


@pytest.mark.parametrize("command", [["up"], ["demo"], ["process", RECORDING], ["jobs", "list"], ["keys", "list"], ["doctor"]])
def test_a_configuration_that_is_no_yaml_file_is_refused(command: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "torn.yaml").write_text("applications:\n  - {name: [\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "No such file" in refusal(*command, "--config", tmp_path / "none.yaml")
    assert "Is a directory" in refusal(*command, "--config", tmp_path)
    assert "not YAML" in refusal(*command, "--config", tmp_path / "torn.yaml")
    assert "no text" in refusal(*command, "--config", tmp_path / "bytes.yaml")


def test_a_data_folder_that_can_not_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is not a folder" in refusal("up", "--data-dir", tmp_path / "file" / "below")
    assert "is not a folder" in refusal("demo", "--keep", tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "no permission" in refusal("up", "--data-dir", tmp_path / "locked")


def test_files_that_are_no_recordings_are_refused_by_name_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "page.mp3").write_text("<html><body>not here</body></html>")
    files = [tmp_path / name for name in ("empty.wav", "page.mp3", "missing.ogg")]
    result = wordloop("process", *files, tmp_path, ROOT / "README.md")
    assert isinstance(result.exception, ArgumentWrong)
    for line in (
        f"{files[0]}: The file is empty.",
        f"{files[1]}: The file is an HTML or XML document, not a recording.",
        f"{files[2]}: There is no such file.",
        f"{tmp_path}: This is not a file; name the recordings in it one by one.",
        f"{ROOT / 'README.md'}: The file is plain text, not a recording.",
    ):
        assert line in result.stderr.splitlines()


def test_recordings_among_other_files_go_on(tmp_path: Path) -> None:
    told: list[str] = []
    assert recordings([tmp_path / "missing.ogg", RECORDING], told.append) == [RECORDING]
    assert told == [f"{tmp_path / 'missing.ogg'}: There is no such file."]


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(ArgumentWrong):
        recordings([tmp_path / "pipe.wav"], lambda _: None)


def test_a_language_is_a_code_that_whisper_knows() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(_LANGUAGE_CODES) == LANGUAGES
    assert "ISO 639-1" in refusal("process", RECORDING, "--language", "english")


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (None, None),
        ("off", "false"),
        ("3", '{"count": 3}'),
        (" 2-4 ", '{"min": 2, "max": 4}'),
        ("Ana, Ben", '{"names": ["Ana", "Ben"]}'),
    ],
)
def test_speakers_are_a_number_names_or_off(typed: str | None, sent: str | None) -> None:
    assert speakers_field(typed) == sent


def test_speakers_without_a_name_are_refused() -> None:
    assert "--speakers takes" in refusal("process", RECORDING, "--speakers", "Ana,,Ben")


def test_an_output_folder_that_can_not_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--output-dir" in refusal("process", RECORDING, "--output-dir", tmp_path / "file")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://127.0.0.1", "http://", "nonsense", "http://[::"])
def test_a_server_that_is_no_address_is_refused(url: str) -> None:
    assert "is no address of a service" in refusal("process", RECORDING, "--server", url)


def test_a_server_that_does_not_answer_is_told() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        assert "no Wordloop service answers" in refusal(
            "process", RECORDING, "--server", f"http://127.0.0.1:{holder.getsockname()[1]}"
        )


def test_a_server_that_lives_is_taken() -> None:
    class Lives(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Lives) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        check_server(f"http://127.0.0.1:{server.server_port}")


def test_unknown_benchmarks_and_suites_are_refused_with_what_there_is(tmp_path: Path) -> None:
    assert "time-to-recap" in refusal("bench", "speed")
    assert "transcription" in refusal("eval", "everything")
    assert "is a folder" in refusal("bench", "guard", "--json", tmp_path)
    assert "there is no folder" in refusal("eval", "recap", "--html", tmp_path / "none" / "report.html")


def test_a_wrong_argument_ends_with_code_2_and_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serve_app", "process", "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "README.md: The file is plain text, not a recording.",
        "wordloop: There is nothing to process; name at least one audio or video file.",
    ]


def test_the_checks_import_nothing_heavy() -> None:
    heavy = "{'httpx', 'yaml', 'pydantic', 'ray', 'numpy', 'av'}"
    program = f"import sys, serve_app.terminal.arguments; sys.exit(bool({heavy} & set(sys.modules)))"
    assert Path(arguments.__file__).is_file()
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
