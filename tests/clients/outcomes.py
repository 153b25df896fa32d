"""What a client got from the service, call by call, as one line of JSON for the table."""

import json
from collections.abc import Callable
from importlib.metadata import version

ROWS = (
    "models are listed",
    "chat",
    "chat, streamed",
    "chat, cut at max_tokens",
    "chat, stop sequence",
    "chat, JSON schema",
    "chat, tools refused in words",
    "embeddings",
    "embeddings of token ids",
    "embeddings of long texts",
    "transcription",
    "transcription, verbose_json with words",
    "transcription, en-US at temperature 0.2",
    "transcription, deltas while it is heard",
    "translation into English",
    "found by its headers and deleted",
)
LONG = "The crew repairs the launch, and nobody moves the crash. " * 200
SCHEMA = {
    "title": "Note",
    "type": "object",
    "additionalProperties": False,
    "required": ["urgent"],
    "properties": {"urgent": {"type": "boolean"}},
}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Look up.", "parameters": {"type": "object", "properties": {}}},
}
HELLO = [{"role": "user", "content": "Say good morning to the crew."}]
HONEST = "Tools are not supported"


class Outcomes:
    """Makes calls one after another; an exception, or an answer that is not as it should be, is an outcome like any other."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.rows: dict[str, str] = {}

    def check(self, row: str, call: Callable[[], object]) -> None:
        """Note `yes` when the call returns something true, else what went wrong."""
        assert row in ROWS, row
        try:
            self.rows[row] = "yes" if call() else "no: another answer"
        except Exception as error:
            self.rows[row] = f"no: {type(error).__name__}: {' '.join(str(error).split())[:90]}"

    def check_refused(self, row: str, call: Callable[[], object]) -> None:
        """Note `yes` when the call raises an error that says in words what is not done."""
        try:
            call()
            self.rows[row] = "no: not refused"
        except Exception as error:
            self.rows[row] = "yes" if HONEST in str(error) else f"no: {type(error).__name__}: {str(error)[:90]}"

    def tell(self) -> None:
        """Print everything for the table."""
        print(json.dumps({"client": self.package, "version": version(self.package), "rows": self.rows}))
