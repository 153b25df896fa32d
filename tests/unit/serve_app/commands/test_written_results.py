"""The files of `wordloop process`: a recap's times lead to the transcript that stands in the same file."""

from pathlib import Path
from typing import Any

from application.recap_formats import recap_markdown
from application.transcript_formats import markdown, subrip, web_vtt
from serve_app.commands.process import write_results
from tests.documents import FULL, SEGMENTS, TRANSCRIPT


class Stored:
    """A client of a service that holds one conversation."""

    def transcript(self, _transcript_id: str, form: str = "json") -> Any:
        return {"json": {}, "md": markdown(TRANSCRIPT), "srt": subrip(TRANSCRIPT), "vtt": web_vtt(TRANSCRIPT)}[form]

    def recap(self, _recap_id: str, form: str = "json") -> Any:
        return {"json": {}, "md": recap_markdown(FULL, SEGMENTS)}[form]


def test_the_markdown_file_holds_the_recap_with_links_into_the_transcript_below_it(tmp_path: Path) -> None:
    write_results(Stored(), "transcript_1", "recap_1", tmp_path / "meeting")  # type: ignore[arg-type]
    written = (tmp_path / "meeting.md").read_text()

    assert "([1:05](#t-1), [2:10](#t-2))" in written
    assert '<a id="t-1"></a>**[1:05]** Bob: ' in written
    assert "/v1/" not in written
