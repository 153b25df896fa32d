"""Results as HTML pages, by Jinja templates that escape everything."""

from pathlib import Path

from domain.outline import RecapOutline, TranscriptOutline
from ports.result_pages import ResultPages


class JinjaPages(ResultPages):
    """One file per page: the styles are in it, and nothing else is needed."""

    def __init__(self) -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def recap(self, outline: RecapOutline) -> str:
        return self._environment.get_template("recap.html.jinja").render(recap=outline)

    def transcript(self, outline: TranscriptOutline) -> str:
        return self._environment.get_template("transcript.html.jinja").render(transcript=outline)
