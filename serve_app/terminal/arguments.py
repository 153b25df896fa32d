"""What was typed on the command line, looked at before anything starts: each finding is one sentence with what to do.

Imports nothing heavy and makes nothing. The service stays the judge of what it is sent.
"""

import errno
import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from serve_app.errors import ArgumentWrong

WHISPERS: Final = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it "
    "ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn "
    "so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh"
)
LANGUAGES: Final = frozenset(WHISPERS.split())
"""Whisper's languages (openai/whisper, tokenizer.py): the codes of ISO 639-1, and two or three of its own."""
COUNT: Final = re.compile(r"(?P<least>[0-9]{1,3})(?:-(?P<most>[0-9]{1,3}))?")
"""How many people speak: a number, or the least and the most."""
ANSWER_S: Final = 5.0
"""Seconds a named service gets to say that it lives."""


def check_language(code: str | None) -> None:
    """Raise ArgumentWrong for what Whisper knows no language by."""
    if code is not None and code not in LANGUAGES:
        raise ArgumentWrong(
            f"--language {code} is no language of Whisper's; use a code of ISO 639-1 like en or de, or leave it out."
        )


def recordings(files: Sequence[Path], tell: Callable[[str], None]) -> list[Path]:
    """Return the files that may be recordings, and tell a sentence for each that is none. Raises ArgumentWrong when none is."""
    wrong = {file: words for file in files if (words := _refusal(file))}
    for file, words in wrong.items():
        tell(f"{file}: {words}")
    if not (left := [file for file in files if file not in wrong]):
        raise ArgumentWrong("There is nothing to process; name at least one audio or video file.")
    return left


def _refusal(file: Path) -> str | None:
    """Why a file is no recording, by its first bytes; None when it may be one."""
    from adapters.pyav_decoder.refusals import sentence_of
    from adapters.pyav_decoder.signatures import HEAD_BYTES, refusal_by_signature

    if not file.exists():
        return "There is no such file."
    if not file.is_file():
        return "This is not a file; name the recordings in it one by one." if file.is_dir() else "This is not a file."
    try:
        with file.open("rb") as opened:
            code = refusal_by_signature(opened.read(HEAD_BYTES))
    except OSError as error:
        return f"The file can not be read: {error.strerror}."
    return None if code is None else sentence_of(code, None)


def speakers_field(words: str | None) -> str | None:
    """Return what `--speakers` says as the field of a request: how many there are, their names, or that nobody is to look.

    Raises ArgumentWrong.
    """
    if words is None:
        return None
    if words.strip() == "off":
        return "false"
    if counted := COUNT.fullmatch(words.strip()):
        least, most = counted["least"], counted["most"]
        return json.dumps({"count": int(least)} if most is None else {"min": int(least), "max": int(most)})
    names = [name.strip() for name in words.split(",")]
    if not all(names):
        raise ArgumentWrong("--speakers takes how many there are (3 or 2-4), their names (Ana,Ben) or off.")
    return json.dumps({"names": names})


def check_config(path: Path | None) -> None:
    """Raise ArgumentWrong for a configuration that is not there, can not be read or is no YAML."""
    if path is None:
        return
    import yaml

    try:
        yaml.safe_load(path.read_text())
    except OSError as error:
        raise ArgumentWrong(f"--config {path} can not be read: {error.strerror}; name a serve_config.yaml.") from error
    except UnicodeDecodeError as error:
        raise ArgumentWrong(f"--config {path} is no text; name a serve_config.yaml.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ArgumentWrong(f"--config {path}{line}: this is not YAML; compare it with the shipped serve_config.yaml.") from error


def check_writable(option: str, folder: Path) -> None:
    """Raise ArgumentWrong when nothing can be written into a folder, or when it can not be made. Makes nothing."""
    if why := not_writable(folder):
        raise ArgumentWrong(f"{option} {folder} can not be written to: {why}; name another folder.")


def not_writable(folder: Path) -> str | None:
    """Why nothing can be written into a folder, there or still to be made; None when it can. Makes nothing."""
    there = nearest(folder)
    if not there.is_dir():
        return f"{there} is not a folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return "no permission" if there == folder else f"no permission in {there}"
    return "its file system is read-only" if os.statvfs(there).f_flag & os.ST_RDONLY else None


def nearest(path: Path) -> Path:
    """Return a path, or the nearest one above it that is there."""
    absolute = path.expanduser().absolute()
    return next(each for each in (absolute, *absolute.parents) if each.exists())


def check_address(host: str, port: int) -> None:
    """Raise ArgumentWrong when nothing can listen there: no name or address of this machine, or a port that is taken."""
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    except (OSError, UnicodeError) as error:
        raise ArgumentWrong(f"--host {host} is no IPv4 address or name that resolves to one; use 127.0.0.1.") from error
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(found)
        except OSError as error:
            raise ArgumentWrong(_unbound(host, port, error)) from error


def _unbound(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRNOTAVAIL:
            return f"--host {host} is no address of this machine; use 127.0.0.1, or one that `ip address` shows."
        case errno.EACCES:
            return f"--port {port} needs more rights than this user has; choose one above 1023, or 0 for a free one."
        case _:
            return f"--port {port} on {host} is taken; choose another, or 0 for a free one."


def check_server(url: str) -> None:
    """Raise ArgumentWrong for what is no address of a service, and where none answers."""
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ArgumentWrong(_no_address(url)) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ArgumentWrong(_no_address(url))
    try:
        with httpx.Client(base_url=parsed, timeout=ANSWER_S, trust_env=False) as client:
            client.get("/livez").raise_for_status()
    except httpx.HTTPError as error:
        raise ArgumentWrong(f"--server {url}: no Wordloop service answers there; see `wordloop up` for its address.") from error


def _no_address(url: str) -> str:
    return f"--server {url} is no address of a service; write it like http://127.0.0.1:8000."


def check_name(name: str, known: Iterable[str], what: str) -> None:
    """Raise ArgumentWrong for a name that is not among the known ones."""
    if name not in (names := list(known)):
        raise ArgumentWrong(f"There is no {what} named {name}; choose one of {', '.join(names)}.")


def check_new_file(option: str, path: Path | None) -> None:
    """Raise ArgumentWrong when a file can not be written there."""
    if path is None:
        return
    if path.is_dir():
        raise ArgumentWrong(f"{option} {path} is a folder; name a file.")
    if not path.absolute().parent.is_dir():
        raise ArgumentWrong(f"{option} {path}: there is no folder {path.absolute().parent}; make it first.")
    if why := not_writable(path.absolute().parent):
        raise ArgumentWrong(f"{option} {path} can not be written: {why}; name another place.")
